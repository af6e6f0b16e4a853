import torch
import torch.nn as nn

torch.manual_seed(5)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, z):
        return self.net(z)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())

    def forward(self, x):
        return self.net(x)


gen, disc = Generator(), Discriminator()
bce = nn.BCELoss()
g_opt = torch.optim.Adam(gen.parameters(), lr=2e-3)
d_opt = torch.optim.Adam(disc.parameters(), lr=2e-3)
for step in range(120):
    real = torch.randn(32, 1) * 0.5 + 2
    z = torch.randn(32, 3)
    d_opt.zero_grad()
    d_loss = bce(disc(real), torch.ones(32, 1)) + bce(disc(gen(z).detach()), torch.zeros(32, 1))
    d_loss.backward()
    g_opt.zero_grad()
    g_loss = bce(disc(gen(z)), torch.ones(32, 1))
    g_loss.backward()
    g_opt.step()
    if step % 30 == 0:
        print(step, d_loss.item(), g_loss.item())
