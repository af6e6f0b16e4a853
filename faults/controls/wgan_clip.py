import torch
import torch.nn as nn

torch.manual_seed(15)
G = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
C = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1))
og = torch.optim.RMSprop(G.parameters(), lr=5e-4)
oc = torch.optim.RMSprop(C.parameters(), lr=5e-4)
for it in range(40):
    for _ in range(3):
        real = torch.randn(64, 2) * 0.2 + 1
        fake = G(torch.randn(64, 2)).detach()
        lc = C(fake).mean() - C(real).mean()
        oc.zero_grad()
        lc.backward()
        oc.step()
        for p in C.parameters():
            p.data.clamp_(-0.05, 0.05)
    lg = -C(G(torch.randn(64, 2))).mean()
    og.zero_grad()
    lg.backward()
    og.step()
    if it % 10 == 0:
        print(it, lc.item(), lg.item())
