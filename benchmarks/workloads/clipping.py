"""MLP 20-64-64-2, batch 32, AdamW: the loss is read before backward, gradients are clipped, a warm-up per step."""

import torch
from torch import nn

BATCH = 32

torch.manual_seed(0)
x = torch.randn(BATCH, 20)
y = torch.randint(0, 2, (BATCH,))
model = nn.Sequential(nn.Linear(20, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 10) * 0.999**step)


def train(steps):
    losses = []
    for _ in range(steps):
        loss = criterion(model(x), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
    return losses


def flops():
    return 2 * BATCH * (2 * 20 * 64 + 3 * 64 * 64 + 3 * 64 * 2)
