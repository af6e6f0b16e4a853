"""A convolutional network tells horizontal from vertical and diagonal stripes."""

import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset


class Stripes(Dataset):
    def __init__(self, count, seed):
        g = torch.Generator().manual_seed(seed)
        self.labels = torch.arange(count) * 3 // count
        rows = torch.arange(8).float()
        self.images = torch.zeros(count, 1, 8, 8)
        for i in range(count):
            phase = torch.rand(1, generator=g) * 4
            kind = int(self.labels[i])
            if kind == 0:
                wave = rows[:, None].expand(8, 8)
            elif kind == 1:
                wave = rows[None, :].expand(8, 8)
            else:
                wave = rows[:, None] + rows[None, :]
            self.images[i, 0] = torch.sin(wave * 1.6 + phase) + 0.3 * torch.randn(8, 8, generator=g)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.images[i], self.labels[i]


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(16)
        self.head = nn.Linear(16 * 2 * 2, 3)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        return self.head(x.flatten(1))


def train_one_epoch(model, loader, optimizer):
    model.train()
    total = 0.0
    for images, labels in loader:
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    hits = 0
    for images, labels in loader:
        hits += (model(images).argmax(1) == labels).sum().item()
    return hits / len(loader.dataset)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=24)
    parser.add_argument("--lr", type=float, default=0.02)
    args = parser.parse_args()
    torch.manual_seed(3)
    train = DataLoader(Stripes(240, 0), batch_size=args.batch_size)
    test = DataLoader(Stripes(96, 1), batch_size=48)
    model = ConvNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
    for epoch in range(args.epochs):
        loss = train_one_epoch(model, train, optimizer)
        print(f"[{epoch}] loss={loss:.4f} acc={accuracy(model, test):.3f}")


if __name__ == "__main__":
    main()
