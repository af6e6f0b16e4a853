"""LSTM over 32 steps, hidden 128, batch 32, Adam."""

import torch
from torch import nn

BATCH, LENGTH, FEATURES, HIDDEN, CLASSES = 32, 32, 16, 128, 10

torch.manual_seed(0)
x = torch.randn(BATCH, LENGTH, FEATURES)
y = torch.randint(0, CLASSES, (BATCH,))


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(FEATURES, HIDDEN, batch_first=True)
        self.fc = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x):
        out, _ = self.rnn(x)
        return self.fc(out[:, -1])


model = Classifier()
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
    gates = 4 * HIDDEN
    return 2 * BATCH * (LENGTH * gates * (2 * FEATURES + 3 * HIDDEN) + 3 * HIDDEN * CLASSES)
