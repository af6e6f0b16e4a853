"""A character model of a small text."""

import torch
import torch.nn as nn
import torch.nn.functional as F

text = "a step back is a step too, said the snail, and took a step. " * 12
chars = sorted(set(text))
index = {c: i for i, c in enumerate(chars)}
ids = torch.tensor([index[c] for c in text])


class CharModel(nn.Module):
    def __init__(self, vocab, hidden=32):
        super().__init__()
        self.embedding = nn.Embedding(vocab, 12)
        self.gru = nn.GRU(12, hidden, batch_first=True)
        self.decoder = nn.Linear(hidden, vocab)

    def forward(self, x, h=None):
        out, h = self.gru(self.embedding(x), h)
        return self.decoder(out), h


torch.manual_seed(13)
model = CharModel(len(chars))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for it in range(60):
    starts = torch.randint(0, len(ids) - 21, (12,))
    inputs = torch.stack([ids[s : s + 20] for s in starts])
    targets = torch.stack([ids[s + 1 : s + 21] for s in starts])
    logits, _ = model(inputs)
    loss = F.cross_entropy(logits.reshape(-1, len(chars)), targets.reshape(-1))
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 20 == 0:
        print(it, loss.item())
