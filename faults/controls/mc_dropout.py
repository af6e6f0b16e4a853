"""Dropout is left on at prediction on purpose: the spread of many passes says how sure the network is."""
import torch
import torch.nn as nn

torch.manual_seed(43)
x = torch.rand(160, 1) * 4 - 2
y = torch.sin(2 * x) + 0.1 * torch.randn(160, 1)
net = nn.Sequential(nn.Linear(1, 48), nn.ReLU(), nn.Dropout(0.1), nn.Linear(48, 48), nn.ReLU(), nn.Dropout(0.1), nn.Linear(48, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(150):
    loss = nn.functional.mse_loss(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
grid = torch.linspace(-3, 3, 30).unsqueeze(1)
net.train()
with torch.no_grad():
    draws = torch.stack([net(grid) for _ in range(20)])
print("mean", draws.mean(0)[::10].flatten().tolist())
print("spread", draws.std(0)[::10].flatten().tolist())
