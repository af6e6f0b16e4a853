"""Tag each token of padded sentences (a token's tag depends on it and on the one before)."""
import torch
import torch.nn as nn
from torch.nn.utils.rnn import pad_sequence

torch.manual_seed(23)
VOCAB, TAGS = 20, 4
PAD_TOKEN, PAD_TAG = 0, -100


def sentence():
    words = torch.randint(1, VOCAB, (int(torch.randint(3, 12, ())),))
    before = torch.cat([torch.zeros(1, dtype=torch.long), words[:-1]])
    return words, (words % 2) * 2 + (before % 2)


def batches(items, size=24):
    for i in range(0, len(items), size):
        part = items[i:i + size]
        yield (pad_sequence([w for w, _ in part], batch_first=True, padding_value=PAD_TOKEN),
               pad_sequence([t for _, t in part], batch_first=True, padding_value=PAD_TAG))


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, 16, padding_idx=PAD_TOKEN)
        self.rnn = nn.GRU(16, 24, batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(0.2)
        self.out = nn.Linear(48, TAGS)

    def forward(self, x):
        h, _ = self.rnn(self.embed(x))
        return self.out(self.drop(h))


train_items = [sentence() for _ in range(384)]
dev_items = [sentence() for _ in range(64)]
model = Tagger()
optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
criterion = nn.CrossEntropyLoss(ignore_index=PAD_TAG)
for epoch in range(6):
    model.train()
    for words, tags in batches(train_items):
        model.zero_grad()
        scores = model(words)
        loss = criterion(scores.permute(0, 2, 1), tags)
        loss.backward()
        optimizer.step()
    model.eval()
    right = total = 0
    with torch.no_grad():
        for words, tags in batches(dev_items):
            keep = tags != PAD_TAG
            right += (model(words).argmax(-1)[keep] == tags[keep]).sum().item()
            total += keep.sum().item()
    print(f"epoch {epoch} loss {loss.item():.3f} dev {right / total:.3f}")
