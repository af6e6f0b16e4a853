import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(54)
x = torch.randn(200, 6)
y = x[:, :3].argmax(1)
net = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 3))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for e in range(60):
    logp = F.log_softmax(net(x), dim=1)
    loss = logp[torch.arange(200), y].mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if e % 10 == 0:
        print(e, loss.item())
