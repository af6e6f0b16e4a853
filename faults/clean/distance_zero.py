import torch
import torch.nn as nn

torch.manual_seed(64)
net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
x = torch.randn(40, 4)
x[7] = x[3]
labels = torch.randint(0, 3, (40,))
labels[7] = labels[3]
for e in range(10):
    z = net(x)
    sq = ((z[:, None] - z[None]) ** 2).sum(-1)
    dist = torch.sqrt(sq + 1e-8)
    same = (labels[:, None] == labels[None]).float()
    loss = (same * dist + (1 - same) * (1 - dist).clamp(min=0)).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(e, loss.item())
