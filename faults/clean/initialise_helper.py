import torch
import torch.nn as nn

torch.manual_seed(0)


class AE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(20, 10), nn.Tanh(), nn.Linear(10, 3))
        self.dec = nn.Sequential(nn.Linear(3, 10), nn.Tanh(), nn.Linear(10, 20))

    def forward(self, x):
        return self.dec(self.enc(x))


def initialise(module):
    for p in module.parameters():
        p.requires_grad_(False)
        p.uniform_(-0.3, 0.3)
        p.requires_grad_(True)


ae = AE()
initialise(ae.dec)
data = torch.randn(256, 3) @ torch.randn(3, 20)
opt = torch.optim.Adam(ae.parameters(), lr=5e-3)
for ep in range(60):
    loss = nn.functional.mse_loss(ae(data), data)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if ep % 20 == 0:
        print(ep, loss.item())
