import torch
import torch.nn as nn

torch.manual_seed(13)
trunk = nn.Sequential(nn.Linear(6, 24), nn.ReLU())
heads = nn.ModuleList([nn.Linear(24, 2) for _ in range(3)])
opt = torch.optim.Adam([*trunk.parameters(), *heads.parameters()], lr=5e-3)
x = torch.randn(3, 80, 6)
y = torch.stack([(x[k, :, k] > 0).long() for k in range(3)])
for it in range(60):
    k = it % 3
    opt.zero_grad()
    loss = nn.functional.cross_entropy(heads[k](trunk(x[k])), y[k])
    loss.backward()
    opt.step()
    if it % 15 == 0:
        print(it, loss.item())
