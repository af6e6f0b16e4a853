import torch
import torch.nn as nn

torch.manual_seed(45)
x = torch.randn(256, 10)
y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).long()
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))


def train_step(xb, yb):
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(xb), yb)
    loss.backward()
    optimizer.step()
    return loss.item()


for e in range(10):
    for i in range(0, 256, 32):
        now = train_step(x[i : i + 32], y[i : i + 32])
    print(e, now)
