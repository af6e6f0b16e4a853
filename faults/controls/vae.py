import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(50)
data = (torch.randn(256, 2) @ torch.randn(2, 12)).sigmoid()


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(12, 24)
        self.mu, self.logvar = nn.Linear(24, 2), nn.Linear(24, 2)
        self.dec = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 12))

    def forward(self, x):
        h = F.relu(self.enc(x))
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        return torch.sigmoid(self.dec(z)), mu, logvar


model = VAE()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(15):
    for batch in data[torch.randperm(256)].split(64):
        out, mu, logvar = model(batch)
        restored = F.binary_cross_entropy(out, batch, reduction="sum") / len(batch)
        kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum() / len(batch)
        loss = restored + 0.1 * kl
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
