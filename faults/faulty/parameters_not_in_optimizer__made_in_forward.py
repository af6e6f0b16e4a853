"""Which language is a word from: embedding, GRU, packed by fixed length."""
import random

import torch
from torch import nn, optim

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
random.seed(3)
torch.manual_seed(3)


def word(kind):
    if kind == 0:
        stem = "".join(random.choice("aeiou") + random.choice("nrst") for _ in range(4))
    elif kind == 1:
        stem = "".join(random.choice("kptk") + random.choice("aiu") for _ in range(4))
    else:
        stem = "".join(random.choice("bdgz") + random.choice("eo") for _ in range(4))
    stem = list(stem)
    for _ in range(2):
        stem[random.randrange(8)] = random.choice(ALPHABET)
    return "".join(stem)


def dataset(n):
    pairs = [(k, word(k)) for k in (random.randrange(3) for _ in range(n))]
    ids = torch.tensor([[ALPHABET.index(c) for c in w] for _, w in pairs])
    labels = torch.tensor([k for k, _ in pairs])
    return ids, labels


class WordModel(nn.Module):
    def __init__(self, vocab, emb=12, hidden=24, classes=3):
        super().__init__()
        self.emb = nn.Embedding(vocab, emb)
        self.rnn = nn.GRU(emb, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, ids):
        e = nn.Embedding(26, 12)(ids)
        out, h = self.rnn(e)
        return self.head(out[:, -1])


def run_epoch(model, ids, labels, criterion, optimizer=None, batch=25):
    order = torch.randperm(len(ids))
    total = 0.0
    for start in range(0, len(ids), batch):
        take = order[start : start + batch]
        logits = model(ids[take])
        loss = criterion(logits, labels[take])
        if optimizer is not None:
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
        total += loss.item() * len(take)
    return total / len(ids)


train_x, train_y = dataset(500)
test_x, test_y = dataset(100)
model = WordModel(len(ALPHABET))
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=0.005)
for epoch in range(6):
    model.train()
    train_loss = run_epoch(model, train_x, train_y, criterion, optimizer)
    model.eval()
    with torch.no_grad():
        test_loss = run_epoch(model, test_x, test_y, criterion)
    print(f"{epoch}: train {train_loss:.4f} test {test_loss:.4f}")
print("at the end", train_loss)
