"""Sequences are sorted by length, so that batches need little padding; labels are mixed."""
import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

torch.manual_seed(45)
lengths = torch.randint(3, 12, (180,)).sort().values.tolist()
sequences = [torch.randn(n, 1) for n in lengths]
labels = torch.tensor([float(s.mean() > 0) for s in sequences])


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 16, batch_first=True)
        self.out = nn.Linear(16, 1)

    def forward(self, padded, sizes):
        packed = pack_padded_sequence(padded, sizes, batch_first=True, enforce_sorted=False)
        _, h = self.rnn(packed)
        return self.out(h[-1]).squeeze(1)


model = Reader()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(4):
    for k in range(0, 180, 30):
        batch = pad_sequence(sequences[k : k + 30], batch_first=True)
        loss = nn.functional.binary_cross_entropy_with_logits(model(batch, lengths[k : k + 30]), labels[k : k + 30])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
