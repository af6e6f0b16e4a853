import torch
import torch.nn as nn

torch.manual_seed(43)
x = torch.randn(300, 8)
y = x[:, :3].argmax(1)
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
opt = torch.optim.SGD(net.parameters(), lr=1e-6, momentum=0.9)
for e in range(15):
    for i in range(0, 300, 50):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x[i : i + 50]), y[i : i + 50])
        loss.backward()
        opt.step()
    print(e, loss.item())
