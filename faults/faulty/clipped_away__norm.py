import torch
import torch.nn as nn

torch.manual_seed(44)
x = torch.randn(256, 10)
y = x[:, :1] * 2 + x[:, 1:2] ** 2
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
for e in range(15):
    for i in range(0, 256, 32):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(x[i : i + 32]), y[i : i + 32])
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1e-4)
        opt.step()
    print(e, loss.item())
