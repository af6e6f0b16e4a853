"""Low-rank additions to layers with frozen random values: the additions learn in their place."""
import math

import torch
from torch import nn


class LoRA(nn.Module):
    def __init__(self, base, r=4, alpha=8):
        super().__init__()
        self.base = base
        for p in base.parameters():
            p.requires_grad_(False)
        self.A = nn.Parameter(torch.empty(r, base.in_features))
        self.B = nn.Parameter(torch.zeros(base.out_features, r))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))
        self.scale = alpha / r

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.A.T @ self.B.T)


torch.manual_seed(26)
net = nn.Sequential(nn.Linear(10, 40), nn.GELU(), nn.Linear(40, 40), nn.GELU(), nn.Linear(40, 3))
for i in (0, 2):
    net[i] = LoRA(net[i])
trainable = [p for p in net.parameters() if p.requires_grad]
opt = torch.optim.AdamW(trainable, lr=5e-3)
x = torch.randn(256, 10)
y = (x[:, :3] ** 2).argmax(1)
for e in range(20):
    for i in torch.randperm(256).split(64):
        loss = nn.functional.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
print(sum(p.numel() for p in trainable), loss.item())
