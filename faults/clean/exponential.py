import torch
from torch import nn, optim

torch.manual_seed(32)
x = torch.rand(400, 2) * 2 - 1
y = torch.sin(3 * x[:, :1]) * x[:, 1:]
net = nn.Sequential(nn.Linear(2, 40), nn.Tanh(), nn.Linear(40, 1))
opt = optim.Adam(net.parameters(), lr=1e-2)
sched = optim.lr_scheduler.ExponentialLR(opt, gamma=0.8)


def run_epoch():
    total = 0.0
    for i in torch.randperm(400).split(20):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(x[i]), y[i])
        loss.backward()
        opt.step()
        total += loss.item()
    sched.step()
    return total / 20


for epoch in range(10):
    print(epoch, run_epoch())
