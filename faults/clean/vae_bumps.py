"""A variational autoencoder of bumps on a line."""
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(5)


def bumps(n, width=24):
    grid = torch.linspace(0, 1, width)
    middle = torch.rand(n, 1) * 0.6 + 0.2
    spread = torch.rand(n, 1) * 0.1 + 0.05
    return torch.exp(-((grid - middle) / spread) ** 2).clamp(0.001, 0.999)


class VAE(nn.Module):
    def __init__(self, width=24, hidden=64, latent=3):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(width, hidden), nn.ReLU())
        self.to_mean = nn.Linear(hidden, latent)
        self.to_logvar = nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, width))

    def encode(self, x):
        h = self.encoder(x)
        return self.to_mean(h), self.to_logvar(h)

    def sample(self, mean, logvar):
        noise = torch.randn_like(mean)
        return mean + noise * torch.exp(0.5 * logvar)

    def forward(self, x):
        mean, logvar = self.encode(x)
        return self.decoder(self.sample(mean, logvar)), mean, logvar


def elbo_loss(logits, x, mean, logvar, beta):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kl = -0.5 * torch.sum(1 + logvar - mean.pow(2) - logvar.exp()) / len(x)
    return reconstruction + beta * kl, reconstruction, kl


def main():
    data = bumps(512)
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(20):
        order = torch.randperm(len(data))
        for at in range(0, len(data), 64):
            x = data[order[at:at + 64]]
            logits, mean, logvar = model(x)
            loss, reconstruction, kl = elbo_loss(logits, x, mean, logvar, beta=0.3)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 5 == 4:
            print(f"{epoch + 1:3d}  loss {loss.item():.3f}  rec {reconstruction.item():.3f}  kl {kl.item():.3f}")


if __name__ == "__main__":
    main()
