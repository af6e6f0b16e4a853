# denoising diffusion on two moons
import torch
from torch import nn
from sklearn.datasets import make_moons
torch.manual_seed(0)
data = torch.tensor(make_moons(800, noise=0.05, random_state=0)[0], dtype=torch.float32); data = (data - data.mean(0)) / data.std(0)
T = 40; beta = torch.linspace(1e-3, 0.15, T); abar = torch.cumprod(1 - beta, 0)
net = nn.Sequential(nn.Linear(3, 96), nn.SiLU(), nn.Linear(96, 96), nn.SiLU(), nn.Linear(96, 2))
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(10):
    for part in torch.randperm(800).split(80):
        t = torch.randint(0, T, (len(part),)); eps = torch.randn(len(part), 2)
        xt = abar[t, None].sqrt() * data[part] + (1 - abar[t, None]).sqrt() * eps
        loss = (net(torch.cat([xt, t[:, None] / T], 1)) - eps).pow(2).mean()
        opt.zero_grad(); loss.backward(); opt.step()
    print(epoch, loss.item())
