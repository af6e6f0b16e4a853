# Four kinds of shapes in colour, told apart by a small CNN
import random

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import Dataset, DataLoader

random.seed(0)
np.random.seed(0)
torch.manual_seed(0)

BATCH = 32
EPOCHS = 6


def draw(kind):
    img = np.random.randint(0, 60, (16, 16, 3)).astype(np.float32)
    y, x = np.mgrid[0:16, 0:16]
    cy, cx = np.random.randint(5, 11, 2)
    colour = np.random.randint(130, 255, 3)
    if kind == 0:
        mask = (y - cy) ** 2 + (x - cx) ** 2 < 16
    elif kind == 1:
        mask = (abs(y - cy) < 4) & (abs(x - cx) < 4)
    elif kind == 2:
        mask = abs(y - cy) < 2
    else:
        mask = abs(x - cx) < 2
    img[mask] = colour
    return img


class Shapes(Dataset):
    def __init__(self, size):
        self.labels = np.random.randint(0, 4, size)
        self.images = np.stack([draw(k) for k in self.labels])

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        img = torch.tensor(self.images[i] / 255.0)
        img = img.permute(2, 0, 1)
        img = (img - 0.25) / 0.25
        return img, torch.tensor(self.labels[i]).long()


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(32)
        self.fc1 = nn.Linear(32 * 4 * 4, 64)
        self.fc2 = nn.Linear(64, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


def accuracy(net, loader):
    net.eval()
    right = 0
    with torch.no_grad():
        for images, labels in loader:
            right += (net(images).argmax(1) == labels).sum().item()
    net.train()
    return right / len(loader.dataset)


def main():
    train_loader = DataLoader(Shapes(512), batch_size=BATCH, shuffle=True)
    val_loader = DataLoader(Shapes(128), batch_size=BATCH)
    net = ConvNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=0.5)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.3)
    for epoch in range(EPOCHS):
        running = 0.0
        for images, labels in train_loader:
            optimizer.zero_grad()
            outputs = net(images)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            running += loss.item()
        scheduler.step()
        print(f"[{epoch + 1}] loss {running / len(train_loader):.3f} val acc {accuracy(net, val_loader):.3f}")


if __name__ == "__main__":
    main()
