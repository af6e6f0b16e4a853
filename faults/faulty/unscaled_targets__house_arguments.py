"""Tabular regression with argparse and functions."""
import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--hidden", type=int, default=48)
    p.add_argument("--lr", type=float, default=0.02)
    p.add_argument("--steps", type=int, default=250)
    p.add_argument("--batch", type=int, default=50)
    return p.parse_args()


def load(seed=5, rows=800):
    g = torch.Generator().manual_seed(seed)
    area = torch.rand(rows, generator=g) * 200 + 40
    rooms = torch.randint(1, 7, (rows,), generator=g).float()
    age = torch.rand(rows, generator=g) * 60
    far = torch.rand(rows, generator=g) * 30
    price = 0.02 * area + 0.4 * rooms - 0.03 * age + 2.0 * torch.exp(-far / 8) + 0.1 * torch.randn(rows, generator=g)
    x = torch.stack([area, rooms, age, far], 1)
    x = (x - x.mean(0)) / x.std(0)
    price = price * 10000 + 50000
    return x, price


class Net(nn.Module):
    def __init__(self, n_in, hidden):
        super().__init__()
        self.inp = nn.Linear(n_in, hidden)
        self.hid = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x):
        x = F.relu(self.inp(x))
        x = F.relu(self.hid(x))
        return self.out(x).squeeze(1)


def main():
    args = parse()
    torch.manual_seed(0)
    x, y = load()
    model = Net(x.shape[1], args.hidden)
    opt = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
    history = []
    for step in range(args.steps):
        pick = torch.randint(0, len(x), (args.batch,))
        xb, yb = x[pick], y[pick]
        pred = model(xb)
        loss = F.mse_loss(pred, yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        history.append(loss.item())
        if step % 50 == 0:
            print(step, round(history[-1], 4))
    with torch.no_grad():
        err = F.mse_loss(model(x), y)
    print("at the end", err.item())


main()
