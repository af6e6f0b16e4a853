import torch
import torch.nn as nn

torch.manual_seed(71)


def init_weights(m):
    if isinstance(m, nn.Linear):
        nn.init.constant_(m.weight, 0.5)
        nn.init.zeros_(m.bias)


net = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 1))
net.apply(init_weights)
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
x = torch.randn(200, 6)
y = x[:, :1] * x[:, 1:2]
for e in range(40):
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    opt.step()
print(loss.item())
