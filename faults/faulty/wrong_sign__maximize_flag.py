import torch
import torch.nn as nn

torch.manual_seed(56)
net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-2, maximize=True)
x = torch.rand(100, 2)
y = x.prod(1, keepdim=True)
for i in range(80):
    opt.zero_grad()
    loss = nn.functional.l1_loss(net(x), y)
    loss.backward()
    opt.step()
    if i % 20 == 0:
        print(loss.item())
