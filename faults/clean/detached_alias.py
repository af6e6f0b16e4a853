import torch
import torch.nn as nn

torch.manual_seed(79)
X = torch.randn(120, 4)
Y = X[:, :1] - X[:, 1:2]
net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
for epoch in range(25):
    for i in range(0, 120, 30):
        xb = X[i : i + 30]
        xb = xb + 0.05 * torch.randn_like(xb)
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(xb), Y[i : i + 30])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
