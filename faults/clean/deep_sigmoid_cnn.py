import torch
import torch.nn as nn

torch.manual_seed(73)


def block(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.ReLU())


net = nn.Sequential(block(1, 6), block(6, 6), block(6, 6), block(6, 6), block(6, 6), block(6, 6),
                    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2))
x = torch.randn(60, 1, 8, 8)
x[::2] *= 0.4
y = (torch.arange(60) % 2).long()
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
for e in range(12):
    for idx in torch.randperm(60).split(20):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x[idx]), y[idx])
        loss.backward()
        opt.step()
    print(e, loss.item())
