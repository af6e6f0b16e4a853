"""MLP 20-64-64-2, gradients of 4 batches of 32 are accumulated for each step of Adam."""

import torch
from torch import nn

BATCH, ACCUMULATED = 32, 4

torch.manual_seed(0)
x = torch.randn(ACCUMULATED * BATCH, 20)
y = torch.randint(0, 2, (ACCUMULATED * BATCH,))
model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)


def train(steps):
    losses = []
    for _ in range(steps):
        total = 0.0
        optimizer.zero_grad()
        for xb, yb in zip(x.split(BATCH), y.split(BATCH), strict=True):
            loss = criterion(model(xb), yb) / ACCUMULATED
            loss.backward()
            total += loss.item()
        optimizer.step()
        losses.append(total)
    return losses


def flops():
    return 2 * len(x) * (2 * 20 * 64 + 3 * 64 * 64 + 3 * 64 * 2)
