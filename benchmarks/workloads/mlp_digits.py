"""MLP 784-128-64-10, batch 64, Adam."""

import torch
from torch import nn

BATCH, INPUTS, HIDDEN, INNER, CLASSES = 64, 784, 128, 64, 10

torch.manual_seed(0)
x = torch.randn(BATCH, INPUTS)
y = torch.randint(0, CLASSES, (BATCH,))
model = nn.Sequential(
    nn.Linear(INPUTS, HIDDEN),
    nn.ReLU(),
    nn.Linear(HIDDEN, INNER),
    nn.ReLU(),
    nn.Linear(INNER, CLASSES),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)


def train(steps):
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def flops():
    return 2 * BATCH * (2 * INPUTS * HIDDEN + 3 * HIDDEN * INNER + 3 * INNER * CLASSES)
