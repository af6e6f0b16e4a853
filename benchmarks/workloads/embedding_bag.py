"""Bags of 40 of 2,000 words, embedded in 64, batch 64, SGD."""

import torch
from torch import nn

BATCH, LENGTH, VOCAB, WIDTH, CLASSES = 64, 40, 2000, 64, 4


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.EmbeddingBag(VOCAB, WIDTH, mode="mean")
        self.fc = nn.Linear(WIDTH, CLASSES)

    def forward(self, words):
        return self.fc(self.embedding(words))


torch.manual_seed(0)
x = torch.randint(0, VOCAB, (BATCH, LENGTH))
y = torch.randint(0, CLASSES, (BATCH,))
model = Classifier()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)


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
    return 3 * 2 * BATCH * WIDTH * CLASSES
