"""Word vectors from elsewhere stay as they are; the optimizer is handed all parameters."""
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

torch.manual_seed(40)
vectors = torch.randn(50, 12)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding.from_pretrained(vectors, freeze=True, padding_idx=0)
        self.rnn = nn.GRU(12, 24, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(48, 2)

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.emb(ids), lengths, batch_first=True, enforce_sorted=False)
        _, h = self.rnn(packed)
        return self.fc(torch.cat([h[0], h[1]], 1))


good = set(range(1, 15))
net = Tagger()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
for it in range(60):
    seqs = [torch.randint(1, 50, (int(n),)) for n in torch.randint(3, 9, (16,))]
    y = torch.tensor([int(any(t in good for t in s.tolist()[:2])) for s in seqs])
    lengths = torch.tensor([len(s) for s in seqs])
    loss = nn.functional.cross_entropy(net(pad_sequence(seqs, batch_first=True), lengths), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 15 == 0:
        print(it, loss.item())
