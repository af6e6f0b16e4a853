"""GAN of two MLPs that train in turn, 16-128-64 and 64-128-1, batch 64, two Adams."""

import torch
from torch import nn

BATCH, NOISE, SIZE = 64, 16, 64

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(NOISE, 128), nn.ReLU(), nn.Linear(128, SIZE), nn.Tanh())
discriminator = nn.Sequential(nn.Linear(SIZE, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1))
criterion = nn.BCEWithLogitsLoss()
optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
data = torch.rand(BATCH, SIZE) * 2 - 1
real, fake = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)


def train(steps):
    losses = []
    for _ in range(steps):
        images = generator(torch.randn(BATCH, NOISE))
        optimizer_d.zero_grad()
        loss_d = criterion(discriminator(data), real) + criterion(discriminator(images.detach()), fake)
        loss_d.backward()
        optimizer_d.step()

        optimizer_g.zero_grad()
        loss_g = criterion(discriminator(images), real)
        loss_g.backward()
        optimizer_g.step()
        losses.append(loss_d.item() + loss_g.item())
    return losses


def flops():
    making, judging = NOISE * 128 + 128 * SIZE, SIZE * 128 + 128
    discriminating = 2 * (3 * judging - SIZE * 128)
    return 2 * BATCH * (3 * making - NOISE * 128 + discriminating + 3 * judging)
