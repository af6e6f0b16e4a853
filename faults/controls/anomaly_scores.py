"""An autoencoder is asked about usual samples, and about anomalies ten times as large, to see that it fails at these."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(3)
x = torch.randn(256, 12) @ torch.randn(12, 12) * 0.3
anomalies = torch.randn(32, 12) * 12
net = nn.Sequential(nn.Linear(12, 4), nn.Tanh(), nn.Linear(4, 12))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(30):
    loss = F.mse_loss(net(x), x)
    opt.zero_grad()
    loss.backward()
    opt.step()
with torch.no_grad():
    usual = ((net(x) - x) ** 2).mean(1)
    far = ((net(anomalies) - anomalies) ** 2).mean(1)
print("found", (far > usual.quantile(0.95)).float().mean().item())
