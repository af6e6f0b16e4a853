"""Transformer encoder classifier, 2 layers x 64, 4 heads, batch 32 x 50 tokens, AdamW."""

import torch
from torch import nn

BATCH, LENGTH, VOCAB, WIDTH, INNER, LAYERS, CLASSES = 32, 50, 1000, 64, 256, 2, 2


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, WIDTH)
        self.position = nn.Parameter(torch.randn(1, LENGTH, WIDTH) * 0.02)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, INNER, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, LAYERS)
        self.fc = nn.Linear(WIDTH, CLASSES)

    def forward(self, x):
        x = self.encoder(self.embedding(x) + self.position)
        return self.fc(x.mean(dim=1))


torch.manual_seed(0)
x = torch.randint(0, VOCAB, (BATCH, LENGTH))
y = torch.randint(0, CLASSES, (BATCH,))
model = Classifier()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)


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
    weights = LAYERS * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER)
    attention = LAYERS * 2 * LENGTH * WIDTH
    return 3 * 2 * BATCH * (LENGTH * (weights + attention) + WIDTH * CLASSES)
