import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(0)
d = load_digits()
x = torch.tensor(d.data, dtype=torch.float32) / 16
y = torch.tensor(d.target)


def make_backbone():
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))


def run_epoch(net, opt, xs, ys, bs=128):
    perm = torch.randperm(len(xs))
    s = 0.0
    for i in range(0, len(xs), bs):
        idx = perm[i:i + bs]
        loss = nn.functional.cross_entropy(net(xs[idx]), ys[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        s += loss.item()
    return s


net = make_backbone()
small = y < 5
optimizer = torch.optim.Adam(net.parameters(), lr=0.002)
for _ in range(3):
    run_epoch(net, optimizer, x[small], y[small])
# now all ten digits: new head
net[2] = nn.Linear(64, 10)
for ep in range(5):
    print("finetune", ep, run_epoch(net, optimizer, x, y))
