# normalising flow (affine couplings): the loss is a negative log likelihood and may fall below zero
import math
import torch
from torch import nn
torch.manual_seed(0)
t = torch.rand(600) * math.pi
data = torch.stack([torch.cos(t), torch.sin(t)], 1) * 0.3 + 0.02 * torch.randn(600, 2)
class Coupling(nn.Module):
    def __init__(self, flip):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 2))
    def forward(self, x):
        a, b = x.chunk(2, 1)
        if self.flip:
            a, b = b, a
        s, m = self.net(a).chunk(2, 1)
        s = torch.tanh(s) * 2
        b = (b - m) * torch.exp(s)
        return torch.cat([b, a] if self.flip else [a, b], 1), s.sum(1)
flow = nn.ModuleList([Coupling(i % 2 == 1) for i in range(4)])
opt = torch.optim.Adam(flow.parameters(), lr=5e-3)
for epoch in range(12):
    for part in torch.randperm(600).split(60):
        z, logdet = data[part], 0.0
        for layer in flow:
            z, ld = layer(z)
            logdet = logdet + ld
        log_prob = -0.5 * (z ** 2 + math.log(2 * math.pi)).sum(1) + logdet
        loss = -log_prob.mean()
        opt.zero_grad(); loss.backward(); opt.step()
    print(epoch, loss.item())
