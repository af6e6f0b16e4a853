import torch
import torch.nn as nn

torch.manual_seed(9)
t = torch.arange(500).float()
series = 0.002 * t + torch.sin(t / 8) + 0.1 * torch.randn(500)
X = torch.stack([series[i : i + 12] for i in range(480)])
Y = series[12:492].unsqueeze(1)
net = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 1))
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for e in range(4):
    for i in range(0, 480, 24):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(X[i : i + 24]), Y[i : i + 24])
        loss.backward()
        opt.step()
    print(e, loss.item())
