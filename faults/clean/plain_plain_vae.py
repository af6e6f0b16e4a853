import torch
import torch.nn as nn

torch.manual_seed(70)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(10, 32)
        self.stats = nn.Linear(32, 8)
        self.dec = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, x):
        mu, logvar = self.stats(torch.relu(self.enc(x))).chunk(2, dim=1)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        return self.dec(z), mu, logvar


x = torch.randn(100, 10)
m = VAE()
opt = torch.optim.Adam(m.parameters(), lr=1e-3)
for e in range(10):
    r, mu, lv = m(x)
    kl = -0.5 * (1 + lv - mu**2 - lv.exp()).sum(1).mean()
    loss = nn.functional.mse_loss(r, x) + kl
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(e, loss.item())
