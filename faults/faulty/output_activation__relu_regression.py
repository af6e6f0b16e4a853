import math

import torch
from torch import nn, optim

torch.manual_seed(1)
x = torch.linspace(-math.pi, math.pi, 200).unsqueeze(1)
y = torch.sin(x) + 0.05 * torch.randn_like(x)

net = nn.Sequential(
    nn.Linear(1, 24),
    nn.Tanh(),
    nn.Linear(24, 24),
    nn.Tanh(),
    nn.Linear(24, 1),
    nn.ReLU(),
)
opt = optim.Adam(net.parameters(), lr=1e-2)
loss_fn = nn.MSELoss()

for it in range(300):
    pred = net(x)
    loss = loss_fn(pred, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 50 == 0:
        print(it, loss.item())

print("final", loss_fn(net(x), y).item())
