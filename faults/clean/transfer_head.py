"""Pretrain on one task, then give the network a new head for another."""

import torch
import torch.nn as nn

torch.manual_seed(10)


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
        self.head = nn.Linear(16, classes)

    def forward(self, x):
        return self.head(self.backbone(x))


def task(rule, n=256):
    x = torch.randn(n, 8)
    return x, rule(x)


def fit(model, optimizer, x, y, epochs):
    criterion = nn.CrossEntropyLoss()
    for _ in range(epochs):
        for idx in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            loss = criterion(model(x[idx]), y[idx])
            loss.backward()
            optimizer.step()
    return loss.item()


net = Net(classes=4)
x_a, y_a = task(lambda x: (x[:, 0] > 0).long() * 2 + (x[:, 1] > 0).long())
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
print("pretraining", fit(net, optimizer, x_a, y_a, 15))

net.head = nn.Linear(16, 2)
optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
x_b, y_b = task(lambda x: (x[:, 0] * x[:, 1] > 0).long())
print("transfer", fit(net, optimizer, x_b, y_b, 15))
