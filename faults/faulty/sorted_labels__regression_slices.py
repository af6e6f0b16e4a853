import torch
import torch.nn as nn

torch.manual_seed(58)
x = torch.linspace(-4, 4, 320).unsqueeze(1)
y = torch.sigmoid(x) * 3 + 0.02 * torch.randn(320, 1)
net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(10):
    for i in range(0, 320, 16):
        xb, yb = x[i : i + 16], y[i : i + 16]
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(xb), yb)
        loss.backward()
        opt.step()
    print(epoch, loss.item())
