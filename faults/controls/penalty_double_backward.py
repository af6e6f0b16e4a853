import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for step in range(120):
    x = torch.rand(64, 2, requires_grad=True)
    u = net(x)
    g, = torch.autograd.grad(u.sum(), x, create_graph=True)
    want = torch.stack([x[:, 1], x[:, 0]], 1).detach()
    loss = ((g - want) ** 2).mean() + net(torch.zeros(1, 2)).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
