import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(19)
X = torch.randn(320, 7)
y = X @ torch.randn(7) + 0.1 * torch.randn(320)
loader = DataLoader(TensorDataset(X, y), batch_size=32, shuffle=True)


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(7, 32)
        self.b = nn.Linear(32, 1)

    def forward(self, x):
        return self.b(self.a(x).relu())


def rmse(pred, target):
    return ((pred - target) ** 2).mean().sqrt()


model = MLP()
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(10):
    for xb, yb in loader:
        opt.zero_grad()
        loss = rmse(model(xb), yb)
        loss.backward()
        opt.step()
    print(epoch, loss.item())
