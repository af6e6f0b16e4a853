import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(69)
f = torch.randn(128, 4)
f[:, 2] = 1.0
y = (f[:, 0] > 0).long()


def standardise(b):
    return (b - b.mean(0)) / (b.std(0) + 1e-6)


net = nn.Linear(4, 2)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for e in range(4):
    for xb, yb in DataLoader(TensorDataset(f, y), batch_size=16, shuffle=True):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(standardise(xb)), yb)
        loss.backward()
        opt.step()
    print(e, loss.item())
