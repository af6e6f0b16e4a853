import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes

torch.manual_seed(0)
d = load_diabetes()
X = torch.tensor(d.data * 20, dtype=torch.float32)
y = torch.tensor((d.target - d.target.mean()) / d.target.std(), dtype=torch.float32).view(-1, 1)
model = nn.Sequential(
    nn.Linear(10, 20),
    nn.BatchNorm1d(20),
    nn.ReLU(),
    nn.Linear(20, 1),
)
opt = torch.optim.SGD(model.parameters(), lr=0.01)
bs = 3
for epoch in range(2):
    model.train()
    idx = torch.randperm(420)
    for k in range(0, 420 - bs, bs):
        batch = idx[k:k + bs]
        out = model(X[batch])
        loss = ((out - y[batch]) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    print("epoch", epoch, loss.item())
