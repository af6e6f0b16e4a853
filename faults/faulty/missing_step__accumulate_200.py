# step only "when the loss improves", but the comparison is the wrong way round
import torch
import torch.nn as nn

torch.manual_seed(0)
x = torch.randn(120, 3)
t = (x.prod(1, keepdim=True) > 0).float()
mlp = nn.Sequential(nn.Linear(3, 20), nn.Tanh(), nn.Linear(20, 1))
crit = nn.BCEWithLogitsLoss()
opt = torch.optim.Adam(mlp.parameters(), lr=0.02)
accum = 200
for n in range(120):
    loss = crit(mlp(x), t) / accum
    loss.backward()
    if (n + 1) % accum == 0:
        opt.step()
        opt.zero_grad()
print(loss.item())
