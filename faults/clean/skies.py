"""Skies and fields: a picture is bright above or bright below, in one of three colours."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Pictures(Dataset):
    def __init__(self, count, seed):
        rng = np.random.default_rng(seed)
        self.labels = rng.integers(0, 6, count)
        slope = np.add.outer(np.linspace(0, 0.8, 12), 0.2 * np.sin(np.arange(12) / 2))
        self.pictures = rng.normal(0, 0.05, (count, 12, 12, 3)).astype(np.float32)
        for at, label in enumerate(self.labels):
            bright = slope if label < 3 else 1 - slope
            shade = rng.uniform(0.1, 0.5, 3)
            shade[label % 3] = 1.0
            self.pictures[at] += (bright[:, :, None] * shade).astype(np.float32)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, at):
        return torch.from_numpy(self.pictures[at]).permute(2, 0, 1), int(self.labels[at])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.out = nn.Linear(16 * 9, 6)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = nn.functional.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.out(x.flatten(1))


torch.manual_seed(0)
loader = DataLoader(Pictures(480, 0), batch_size=40, shuffle=True)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
for epoch in range(5):
    for pictures, labels in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(pictures), labels)
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: {loss.item():.3f}")
