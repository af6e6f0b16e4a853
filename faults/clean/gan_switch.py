# GAN-like set_requires_grad helper used wrongly: D is never switched on again
import torch
import torch.nn as nn

torch.manual_seed(0)
G = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
D = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
optG = torch.optim.Adam(G.parameters(), lr=1e-3)
optD = torch.optim.Adam(D.parameters(), lr=1e-3)
bce = nn.BCEWithLogitsLoss()


def set_requires_grad(net, flag):
    for p in net.parameters():
        p.requires_grad = flag


for it in range(80):
    real = torch.randn(32, 2) * 0.5 + torch.tensor([2.0, -1.0])
    fake = G(torch.randn(32, 4))
    set_requires_grad(D, True)
    d_loss = bce(D(real), torch.ones(32, 1)) + bce(D(fake.detach()), torch.zeros(32, 1))
    if d_loss.requires_grad:
        optD.zero_grad()
        d_loss.backward()
        optD.step()
    set_requires_grad(D, False)
    g_loss = bce(D(fake), torch.ones(32, 1))
    optG.zero_grad()
    g_loss.backward()
    optG.step()
print(d_loss.item(), g_loss.item())
