"""A GAN that learns points on a ring."""
import math
import torch
import torch.nn as nn

torch.manual_seed(2)
NOISE = 6


def mlp(sizes, slope=0.2):
    layers = []
    for a, b in zip(sizes[:-2], sizes[1:-1]):
        layers += [nn.Linear(a, b), nn.LeakyReLU(slope)]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def ring(n):
    angle = torch.rand(n) * 2 * math.pi
    return torch.stack([angle.cos(), angle.sin()], dim=1) + 0.05 * torch.randn(n, 2)


generator = mlp([NOISE, 32, 32, 2])
critic = mlp([2, 32, 32, 1])
opt_g = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.999))
opt_d = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.999))
bce = nn.BCEWithLogitsLoss()


def critic_step(real):
    fake = generator(torch.randn(len(real), NOISE)).detach()
    loss = bce(critic(real), torch.ones(len(real), 1)) + bce(critic(fake), torch.zeros(len(real), 1))
    opt_d.zero_grad()
    loss.backward()
    opt_d.step()
    return loss.item()


def generator_step(n):
    fake = generator(torch.randn(n, NOISE))
    loss = bce(critic(fake), torch.ones(n, 1))
    opt_g.zero_grad()
    loss.backward()
    opt_g.step()
    return loss.item()


for step in range(150):
    d = critic_step(ring(64))
    g = generator_step(64)
    if step % 30 == 0:
        print(step, round(d, 3), round(g, 3))
points = generator(torch.randn(200, NOISE)).detach()
print("radius", points.norm(dim=1).mean().item())
