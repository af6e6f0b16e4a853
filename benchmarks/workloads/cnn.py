"""LeNet-like CNN, batch 64 of 28x28, Adam."""

import torch
from torch import nn

BATCH = 64

torch.manual_seed(0)
x = torch.randn(BATCH, 1, 28, 28)
y = torch.randint(0, 10, (BATCH,))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.conv2(x))
        x = nn.functional.max_pool2d(x, 2)
        x = torch.flatten(x, 1)
        x = torch.relu(self.fc1(x))
        return self.fc2(x)


model = Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)


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
    conv1, conv2 = 26 * 26 * 32 * 9, 24 * 24 * 64 * 32 * 9
    return 2 * BATCH * (2 * conv1 + 3 * conv2 + 3 * 9216 * 128 + 3 * 128 * 10)
