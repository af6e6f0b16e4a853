import math
import torch
from torch import nn

torch.manual_seed(19)
x = torch.linspace(-3, 3, 400).unsqueeze(1)
y = torch.sin(x) + (0.05 + 0.2 * x.abs()) * torch.randn_like(x)
y[200] = torch.sin(x[200])


class MeanAndSpread(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh())
        self.mean = nn.Linear(40, 1)
        self.spread = nn.Linear(40, 1)

    def forward(self, x):
        h = self.body(x)
        return self.mean(h), torch.relu(self.spread(h))


def negative_log_likelihood(mean, sigma, y):
    return (0.5 * ((y - mean) / sigma) ** 2 + torch.log(sigma) + 0.5 * math.log(2 * math.pi)).mean()


model = MeanAndSpread()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(150):
    index = torch.randint(0, 400, (64,))
    mean, sigma = model(x[index])
    loss = negative_log_likelihood(mean, sigma, y[index])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 0:
        print(step, round(loss.item(), 4))
