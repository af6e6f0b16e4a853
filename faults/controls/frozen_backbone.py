"""The body is trained on one task, then frozen on purpose while a new head learns another."""
import torch
from torch import nn

torch.manual_seed(31)
body = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 12), nn.ReLU())
head = nn.Linear(12, 3)
x = torch.randn(300, 6)
first = x[:, :3].argmax(1)
second = (x[:, 0] > x[:, 1]).long()


def train(layers, parameters, target, steps):
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    for _ in range(steps):
        rows = torch.randint(0, 300, (60,))
        loss = nn.functional.cross_entropy(layers(x[rows]), target[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


model = nn.Sequential(body, head)
print(train(model, model.parameters(), first, 80))
for parameter in body.parameters():
    parameter.requires_grad = False
model = nn.Sequential(body, nn.Linear(12, 2))
print(train(model, [p for p in model.parameters() if p.requires_grad], second, 80))
