"""Residual net with batch norm, 3 stages of 16-32-64 channels, batch 32 of 3x32x32, SGD with momentum."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, CLASSES = 32, 10
STAGES = [(16, 16, 1), (16, 32, 2), (32, 64, 2)]


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.stages = nn.Sequential(*[Residual(*stage) for stage in STAGES])
        self.fc = nn.Linear(64, CLASSES)

    def forward(self, x):
        x = F.relu(self.bn(self.conv(x)))
        x = self.stages(x)
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.fc(x)


torch.manual_seed(0)
x = torch.randn(BATCH, 3, 32, 32)
y = torch.randint(0, CLASSES, (BATCH,))
model = ResNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)


def train(steps):
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def flops():
    stem, body, size = 32 * 32 * 16 * 3 * 9, 0, 32
    for inputs, outputs, stride in STAGES:
        size //= stride
        body += size * size * outputs * (9 * inputs + 9 * outputs + (inputs if stride != 1 else 0))
    return 2 * BATCH * (2 * stem + 3 * body + 3 * 64 * CLASSES)
