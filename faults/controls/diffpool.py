"""Nodes are pooled into clusters: the shares are of clusters, so the product with features runs along another axis."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(3)


class Pooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.assign, self.mix, self.out = nn.Linear(8, 8), nn.Linear(8, 3), nn.Linear(8, 8), nn.Linear(8, 1)

    def forward(self, x):
        h = torch.tanh(self.embed(x))
        adjacent = torch.softmax(h @ h.transpose(1, 2), -1)
        h = torch.relu(adjacent @ self.mix(h))
        shares = torch.softmax(adjacent @ self.assign(h), -1)
        return self.out((shares.transpose(1, 2) @ h).mean(1))


x = torch.randn(96, 6, 8)
y = x[:, :, 0].mean(1, keepdim=True)
net = Pooled()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(25):
    optimizer.zero_grad()
    loss = F.mse_loss(net(x), y)
    loss.backward()
    optimizer.step()
print(loss.item())
