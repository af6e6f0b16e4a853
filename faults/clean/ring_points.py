"""A GAN on points near a ring, two optimizers."""
import math

import torch
from torch import nn

torch.manual_seed(8)
LATENT, BATCH = 4, 64


def mlp(*sizes, last=None):
    parts = []
    for a, b in zip(sizes, sizes[1:]):
        parts += [nn.Linear(a, b), nn.LeakyReLU(0.2)]
    parts = parts[:-1]
    if last is not None:
        parts.append(last)
    return nn.Sequential(*parts)


def real_points(n):
    angle = torch.rand(n) * 2 * math.pi
    ring = torch.stack([torch.cos(angle), torch.sin(angle)], 1)
    return 2 * ring + 0.05 * torch.randn(n, 2)


generator = mlp(LATENT, 32, 32, 2)
critic = mlp(2, 32, 32, 1)
bce = nn.BCEWithLogitsLoss()
g_opt = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.999))
d_opt = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.999))
ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

for step in range(500):
    real = real_points(BATCH)
    fake = generator(torch.randn(BATCH, LATENT))
    d_opt.zero_grad()
    d_loss = bce(critic(real), ones) + bce(critic(fake.detach()), zeros)
    d_loss.backward()
    d_opt.step()

    g_opt.zero_grad()
    g_loss = bce(critic(fake), ones)
    g_loss.backward()
    g_opt.step()
    if step % 100 == 0:
        print(step, round(d_loss.item(), 3), round(g_loss.item(), 3))

with torch.no_grad():
    radius = generator(torch.randn(500, LATENT)).norm(dim=1)
print("at the end", (radius - 2).abs().mean().item())
