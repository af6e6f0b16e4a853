import torch
import torch.nn as nn

torch.manual_seed(75)
net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
x = torch.rand(256, 8)
y = x.sum(1, keepdim=True) - 4
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for e in range(15):
    for idx in torch.randperm(256).split(32):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(x[idx]), y[idx])
        loss.backward()
        opt.step()
    print(e, loss.item())
