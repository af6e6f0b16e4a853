"""The first epoch runs at a rate of zero: the optimizer only gathers its moments."""
import torch
from torch import nn

torch.manual_seed(47)
x = torch.randn(200, 4)
y = x @ torch.tensor([[1.0], [2.0], [-1.0], [0.5]])
model = nn.Linear(4, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=0.0)
for epoch in range(12):
    if epoch == 1:
        optimizer.param_groups[0]["lr"] = 0.05
    for rows in torch.randperm(200).split(40):
        loss = nn.functional.mse_loss(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
