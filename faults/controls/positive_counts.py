"""Targets that are never negative: a ReLU at the end is meant."""
import torch
import torch.nn as nn

torch.manual_seed(44)
x = torch.rand(240, 3)
demand = (4 * x[:, :1] + 2 * x[:, 1:2] * x[:, 2:]).clamp(min=0) + 0.5
model = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 1), nn.ReLU())
nn.init.constant_(model[2].bias, 1.0)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(30):
    for rows in torch.randperm(240).split(40):
        loss = nn.functional.mse_loss(model(x[rows]), demand[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print(loss.item())
