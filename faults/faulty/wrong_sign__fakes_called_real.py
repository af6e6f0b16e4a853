"""A GAN learns a normal distribution with mean 4 and deviation 1.25."""
import torch
import torch.nn as nn
import torch.optim as optim

torch.manual_seed(11)


def real_samples(n):
    return torch.randn(n, 4) * 1.25 + 4.0


def noise(n):
    return torch.rand(n, 8)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 32), nn.ELU(), nn.Linear(32, 32), nn.ELU(), nn.Linear(32, 4))

    def forward(self, z):
        return self.net(z)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1), nn.Sigmoid())

    def forward(self, x):
        return self.net(x)


G, D = Generator(), Discriminator()
criterion = nn.BCELoss()
d_optimizer = optim.Adam(D.parameters(), lr=1e-3, betas=(0.5, 0.999))
g_optimizer = optim.Adam(G.parameters(), lr=1e-3, betas=(0.5, 0.999))
batch = 64

for step in range(150):
    D.zero_grad()
    d_real = D(real_samples(batch))
    d_real_error = criterion(d_real, torch.ones(batch, 1))
    fake = G(noise(batch)).detach()
    d_fake = D(fake)
    d_fake_error = criterion(d_fake, torch.ones(batch, 1))
    d_error = d_real_error + d_fake_error
    d_error.backward()
    d_optimizer.step()

    G.zero_grad()
    g_fake = G(noise(batch))
    dg = D(g_fake)
    g_error = criterion(dg, torch.ones(batch, 1))
    g_error.backward()
    g_optimizer.step()
    if step % 30 == 0:
        with torch.no_grad():
            out = G(noise(256))
        print(step, f"D {d_error.item():.3f} G {g_error.item():.3f} mean {out.mean().item():.2f} std {out.std().item():.2f}")
