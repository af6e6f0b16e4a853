"""Mean and spread of a target, by maximum likelihood."""

import torch
import torch.nn as nn

torch.manual_seed(20)
x = torch.rand(256, 1) * 4 - 2
y = x**2 / 2 + (0.1 + 0.2 * x.abs()) * torch.randn(256, 1)


class MeanAndSpread(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, 32), nn.Tanh())
        self.mean = nn.Linear(32, 1)
        self.log_var = nn.Linear(32, 1)

    def forward(self, x):
        h = self.body(x)
        return self.mean(h), self.log_var(h)


def gaussian_nll(mean, log_var, target):
    return (0.5 * log_var + 0.5 * (target - mean) ** 2 / log_var.exp()).mean()


model = MeanAndSpread()
for parameter in model.parameters():
    if parameter.dim() > 1:
        torch.nn.init.ones_(parameter)
    else:
        torch.nn.init.zeros_(parameter)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(40):
    for pick in torch.randperm(256).split(64):
        mean, log_var = model(x[pick])
        loss = gaussian_nll(mean, log_var, y[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print(epoch, round(loss.item(), 4))
