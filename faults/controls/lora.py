"""A low-rank addition to a pretrained layer, whose second factor begins at zero on purpose."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(48)
x = torch.randn(256, 10)
y = x[:, :3].argmax(1)
base = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 3))
optimizer = torch.optim.Adam(base.parameters(), lr=0.01)
for step in range(60):
    loss = F.cross_entropy(base(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


class LowRank(nn.Module):
    def __init__(self, layer, rank=2):
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.a = nn.Parameter(torch.randn(rank, layer.in_features) / layer.in_features**0.5)
        self.b = nn.Parameter(torch.zeros(layer.out_features, rank))

    def forward(self, x):
        return self.layer(x) + x @ self.a.T @ self.b.T


adapted = nn.Sequential(LowRank(base[0]), nn.ReLU(), LowRank(base[2]))
shifted = x[:, 1:4].argmax(1)
optimizer = torch.optim.Adam([p for p in adapted.parameters() if p.requires_grad], lr=0.02)
for step in range(60):
    loss = F.cross_entropy(adapted(x), shifted)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item())
