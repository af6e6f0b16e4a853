import torch
import torch.nn as nn

torch.manual_seed(19)
x = (torch.rand(200, 16) < torch.rand(200, 1)).float()
net = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 16))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for e in range(15):
    for b in x.split(40):
        p = torch.clamp(torch.sigmoid(net(b)), 1e-6, 1 - 1e-6)
        loss = nn.functional.binary_cross_entropy(p, b)
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(e, loss.item())
