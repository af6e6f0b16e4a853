"""Denoising autoencoder 784-256-64-256-784, batch 64, Adam."""

import torch
from torch import nn

BATCH = 64

torch.manual_seed(0)
x = torch.rand(BATCH, 784)
encoder = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU())
decoder = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 784), nn.Sigmoid())
model = nn.Sequential(encoder, decoder)
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)


def train(steps):
    losses = []
    for _ in range(steps):
        noisy = x + 0.1 * torch.randn_like(x)
        loss = criterion(model(noisy), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def flops():
    return 2 * BATCH * (2 * 784 * 256 + 3 * (256 * 64 + 64 * 256 + 256 * 784))
