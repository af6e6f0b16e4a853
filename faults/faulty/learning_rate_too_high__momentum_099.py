import torch
import torch.nn as nn

torch.manual_seed(42)
x = torch.randn(200, 6)
y = x @ torch.randn(6, 1)
net = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.999)
for i in range(150):
    loss = ((net(x) - y) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if i % 30 == 0:
        print(i, loss.item())
