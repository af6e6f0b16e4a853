"""MLP 20-64-64-2, whole epochs: shuffled batches of 32 with a short last one, evaluation, a moving learning rate."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x, y = torch.randn(300, 20), torch.randint(0, 2, (300,))
test_x, test_y = torch.randn(100, 20), torch.randint(0, 2, (100,))
loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.99)


def train(steps):
    losses = []
    for _ in range(steps):
        model.train()
        total = 0.0
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(xb)
        scheduler.step()
        model.eval()
        with torch.no_grad():
            logits = model(test_x)
            test_loss = criterion(logits, test_y).item()
            correct = (logits.argmax(dim=1) == test_y).sum().item()
        losses.append(total / len(x) + test_loss + correct / len(test_x))
    return losses


def flops():
    training = 2 * len(x) * (2 * 20 * 64 + 3 * 64 * 64 + 3 * 64 * 2)
    return training + 2 * len(test_x) * (20 * 64 + 64 * 64 + 64 * 2)
