import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(400, 8)
y = (x[:, 0] * 2 + x[:, 1] > 0).long()
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
for epoch in range(5):
    for idx in torch.randperm(400).split(40):
        inputs = x[idx].clone().requires_grad_(True)
        attack = nn.functional.cross_entropy(net(inputs), y[idx])
        direction, = torch.autograd.grad(attack, inputs)
        worse = (inputs + 0.05 * direction.sign()).detach()
        loss = nn.functional.cross_entropy(net(worse), y[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(loss.item())
