import torch
import torch.nn as nn

torch.manual_seed(77)
x = torch.randn(256, 6)
y = 250000 + 80000 * x[:, :1] - 30000 * x[:, 1:2]
net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
for e in range(10):
    for i in range(0, 256, 32):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(x[i : i + 32]), y[i : i + 32])
        loss.backward()
        opt.step()
    print(e, loss.item())
