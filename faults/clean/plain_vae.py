import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(6)


class VAE(nn.Module):
    def __init__(self, d=12, h=24, z=2):
        super().__init__()
        self.enc = nn.Linear(d, h)
        self.mu = nn.Linear(h, z)
        self.logvar = nn.Linear(h, z)
        self.dec1 = nn.Linear(z, h)
        self.dec2 = nn.Linear(h, d)

    def forward(self, x):
        h = F.relu(self.enc(x))
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        return self.dec2(F.relu(self.dec1(z))), mu, logvar


data = torch.randn(256, 2) @ torch.randn(2, 12)
data = (data - data.mean(0)) / data.std(0)
vae = VAE()
optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)
for epoch in range(15):
    for batch in data.split(32):
        optimizer.zero_grad()
        recon, mu, logvar = vae(batch)
        rec = F.mse_loss(recon, batch, reduction="sum") / len(batch)
        kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp()) / len(batch)
        loss = rec + 0.1 * kl
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
