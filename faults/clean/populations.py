import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(83)
area = torch.rand(240, 3)
people = 40000 * area[:, 0] + 9000 * area[:, 1] ** 2 + 500
people = (people - people.mean()) / people.std()


class Census(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(3, 24)
        self.two = nn.Linear(24, 1)

    def forward(self, x):
        return self.two(torch.tanh(self.one(x))).squeeze(-1)


model = Census()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(6):
    for features, count in DataLoader(TensorDataset(area, people), batch_size=24, shuffle=True):
        optimizer.zero_grad()
        error = (model(features) - count).abs().mean()
        error.backward()
        optimizer.step()
    print(epoch, error.item())
