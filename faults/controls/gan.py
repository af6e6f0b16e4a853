"""A generative adversarial network on a line of points."""
import torch
import torch.nn as nn

torch.manual_seed(33)
generator = nn.Sequential(nn.Linear(4, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 2))
discriminator = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Linear(32, 1))
g_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999))
bce = nn.BCEWithLogitsLoss()
for step in range(150):
    t = torch.randn(48, 1)
    real = torch.cat([t, 2 * t + 1], dim=1) + 0.05 * torch.randn(48, 2)
    fake = generator(torch.randn(48, 4))
    d_optimizer.zero_grad()
    real_loss = bce(discriminator(real), torch.ones(48, 1))
    fake_loss = bce(discriminator(fake.detach()), torch.zeros(48, 1))
    (real_loss + fake_loss).backward()
    d_optimizer.step()
    g_optimizer.zero_grad()
    g_loss = bce(discriminator(fake), torch.ones(48, 1))
    g_loss.backward()
    g_optimizer.step()
    if step % 50 == 0:
        print(step, (real_loss + fake_loss).item(), g_loss.item())
generator.eval()
with torch.no_grad():
    print(generator(torch.randn(500, 4)).mean(0).tolist())
