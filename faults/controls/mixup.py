# mixup: inputs and labels are permuted together
import numpy as np
import torch
from torch import nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
torch.manual_seed(0); np.random.seed(0)
d = load_digits(); X = torch.tensor(d.images, dtype=torch.float32).unsqueeze(1) / 16; y = torch.tensor(d.target)
net = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10))
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(5):
    for part in torch.randperm(1400).split(64):
        x, t = X[part], y[part]
        lam = float(np.random.beta(0.4, 0.4)); index = torch.randperm(len(x))
        out = net(lam * x + (1 - lam) * x[index])
        loss = lam * F.cross_entropy(out, t) + (1 - lam) * F.cross_entropy(out, t[index])
        opt.zero_grad(); loss.backward(); opt.step()
    with torch.no_grad():
        print(epoch, (net(X[1400:]).argmax(1) == y[1400:]).float().mean().item())
