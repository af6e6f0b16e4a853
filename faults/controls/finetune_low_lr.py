# a trained model goes on with a very small rate, on purpose
import torch
import torch.nn as nn

torch.manual_seed(0)
x = torch.randn(200, 4)
y = x @ torch.randn(4, 1) + 0.1 * torch.randn(200, 1)
net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for i in range(200):
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    opt.step()
print("trained", loss.item())
for g in opt.param_groups:
    g["lr"] = 1e-6
for i in range(40):
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    opt.step()
print("polished", loss.item())
