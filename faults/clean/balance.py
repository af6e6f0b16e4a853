import torch
from torch import nn


class Balance(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 24)
        self.last = nn.Linear(24, 1)
        self.relu = nn.ReLU()

    def forward(self, x):
        x = self.relu(self.first(x))
        return self.last(x)


torch.manual_seed(61)
entries = torch.randn(192, 4)
balance = entries[:, :2].sum(1, keepdim=True) - entries[:, 2:].sum(1, keepdim=True)
model = Balance()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(15):
    for rows in torch.randperm(192).split(32):
        loss = nn.functional.smooth_l1_loss(model(entries[rows]), balance[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
