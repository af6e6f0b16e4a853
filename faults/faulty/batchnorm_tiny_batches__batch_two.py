import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(52)
x = torch.randn(96, 3, 6, 6)
y = (x[:, 0].mean((1, 2)) > x[:, 1].mean((1, 2))).long()
loader = DataLoader(TensorDataset(x, y), batch_size=2, shuffle=True)
net = nn.Sequential(
    nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 16),
    nn.BatchNorm1d(16),
    nn.ReLU(), nn.Linear(16, 2),
)
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for e in range(3):
    net.train()
    for xb, yb in loader:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(xb), yb)
        loss.backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        print(e, (net(x).argmax(1) == y).float().mean().item())
