"""Three clouds of points, told apart by a small network with dropout."""

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


def make_blobs(count, spread=0.9):
    centres = torch.tensor([[0.0, 2.0], [2.0, -1.0], [-2.0, -1.0]])
    labels = torch.randint(0, 3, (count,))
    return centres[labels] + spread * torch.randn(count, 2), labels


class Classifier(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.fc1 = nn.Linear(2, hidden)
        self.drop = nn.Dropout(0.3)
        self.fc2 = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, 3)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = self.drop(x)
        x = torch.relu(self.fc2(x))
        return self.out(x)


def evaluate(model, loader):
    right = total = 0
    with torch.no_grad():
        for x, y in loader:
            scores = model(x)
            right += (scores.argmax(dim=1) == y).sum().item()
            total += len(y)
    return right / total


train_loader = DataLoader(TensorDataset(*make_blobs(384)), batch_size=32, shuffle=True)
test_loader = DataLoader(TensorDataset(*make_blobs(128)), batch_size=64)
model = Classifier()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

for epoch in range(8):
    running = 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        logits = model(x)
        loss = criterion(logits, y)
        loss.backward()
        optimizer.step()
        running += loss.item()
    print(f"epoch {epoch}: loss {running / len(train_loader):.4f} accuracy {evaluate(model, test_loader):.3f}")
