import math

import torch
from torch import nn


def two_moons(n):
    angle = torch.rand(n) * math.pi
    upper = torch.rand(n) < 0.5
    x = torch.where(upper, torch.cos(angle), 1 - torch.cos(angle))
    y = torch.where(upper, torch.sin(angle), 0.5 - torch.sin(angle))
    points = torch.stack([x, y], dim=1) + 0.1 * torch.randn(n, 2)
    return points, upper.float().unsqueeze(1)


def build(width):
    return nn.Sequential(
        nn.Linear(2, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 1),
    )


def run():
    torch.manual_seed(7)
    points, labels = two_moons(400)
    network = build(20)
    objective = nn.BCELoss()
    sgd = torch.optim.SGD(network.parameters(), lr=0.3, momentum=0.9)
    for epoch in range(15):
        for i in torch.randperm(400).split(50):
            out = torch.softmax(network(points[i]), dim=1)
            loss = objective(out, labels[i])
            sgd.zero_grad()
            loss.backward()
            sgd.step()
        with torch.no_grad():
            guess = (network(points) > 0).float()
            accuracy = (guess == labels).float().mean().item()
        print("epoch", epoch, "loss", round(loss.item(), 4), "accuracy", round(accuracy, 3))


run()
