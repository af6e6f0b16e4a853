import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(1)
G = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
D = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
optG = torch.optim.Adam(G.parameters(), lr=1e-3)
optD = torch.optim.Adam(D.parameters(), lr=1e-3)
real_label = torch.ones(64, 1)
fake_label = torch.zeros(64, 1)
for it in range(150):
    real = torch.randn(64, 2) * 0.3 + torch.tensor([1.0, -1.0])
    noise = torch.randn(64, 4)
    fake = G(noise)
    optD.zero_grad()
    d_loss = F.binary_cross_entropy_with_logits(D(real), real_label)
    d_loss = d_loss + F.binary_cross_entropy_with_logits(D(fake.detach()), fake_label)
    d_loss.backward()
    optD.step()
    optG.zero_grad()
    g_loss = F.binary_cross_entropy_with_logits(D(fake), real_label)
    g_loss.backward()
    optG.step()
    if it % 50 == 0:
        print(it, d_loss.item(), g_loss.item())
