import math

import torch
import torch.nn as nn

torch.manual_seed(17)
net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 9))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
y = torch.rand(300, 1) * 2 - 1
x = y + 0.3 * torch.sin(6 * y) + 0.02 * torch.randn(300, 1)
for e in range(60):
    pi, mu, ls = net(x).chunk(3, dim=1)
    ls = ls.clamp(-5, 2)
    lp = torch.log_softmax(pi, 1) - 0.5 * ((y - mu) / ls.exp()) ** 2 - ls - 0.5 * math.log(2 * math.pi)
    loss = -torch.logsumexp(lp, 1).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
