"""Which of two marker tokens comes first? A transformer encoder reads the sequence."""
import math
import torch
import torch.nn as nn
from torch.utils.data import Dataset, DataLoader

VOCAB, LENGTH, D_MODEL = 20, 16, 32


class FirstMarker(Dataset):
    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        self.x = torch.randint(2, VOCAB, (n, LENGTH), generator=g)
        pos = torch.stack([torch.randperm(LENGTH, generator=g)[:2] for _ in range(n)])
        rows = torch.arange(n)
        self.x[rows, pos[:, 0]] = 0
        self.x[rows, pos[:, 1]] = 1
        self.y = (pos[:, 1] < pos[:, 0]).long()

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_len=64):
        super().__init__()
        pe = torch.zeros(max_len, d_model)
        position = torch.arange(max_len).unsqueeze(1)
        div = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe[:, 0::2] = torch.sin(position * div)
        pe[:, 1::2] = torch.cos(position * div)
        self.register_buffer("pe", pe)

    def forward(self, x):
        return x + self.pe[:x.size(1)]


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, D_MODEL)
        self.pos = PositionalEncoding(D_MODEL)
        layer = nn.TransformerEncoderLayer(D_MODEL, 4, 64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(D_MODEL, 2)

    def forward(self, tokens):
        h = self.pos(self.embed(tokens))
        h = self.encoder(h)
        return self.head(h.mean(dim=1))


def accuracy(model, loader):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for x, y in loader:
            right += (model(x).argmax(-1) == y).sum().item()
            total += y.numel()
    return right / total


torch.manual_seed(0)
train_loader = DataLoader(FirstMarker(2048, 1), batch_size=64, shuffle=True)
test_loader = DataLoader(FirstMarker(512, 2), batch_size=256)
model = Classifier()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
warmup = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1.0, (s + 1) / 20))
loss_fn = nn.CrossEntropyLoss()

for epoch in range(6):
    model.train()
    running = 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        warmup.step()
        running += loss.item()
    print(epoch, round(running / len(train_loader), 4), round(accuracy(model, test_loader), 3))
