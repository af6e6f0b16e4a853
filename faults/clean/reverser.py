"""Reverse a short string of digits: encoder, decoder, padding."""
import torch
from torch import nn

torch.manual_seed(33)
PAD, BOS, DIGITS = 0, 1, 8
VOCAB = DIGITS + 2


def samples(n, longest=6):
    src = torch.zeros(n, longest, dtype=torch.long)
    tgt = torch.zeros(n, longest, dtype=torch.long)
    for i in range(n):
        k = int(torch.randint(3, longest + 1, (1,)))
        digits = torch.randint(2, VOCAB, (k,))
        src[i, :k] = digits
        tgt[i, :k] = digits.flip(0)
    return src, tgt


class Encoder(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, dim, padding_idx=PAD)
        self.rnn = nn.GRU(dim, dim, batch_first=True)

    def forward(self, src):
        states, last = self.rnn(self.embed(src))
        return states, last


class Decoder(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, dim, padding_idx=PAD)
        self.rnn = nn.GRU(dim, dim, batch_first=True)
        self.out = nn.Linear(2 * dim, VOCAB)

    def forward(self, tokens, states, hidden):
        out, hidden = self.rnn(self.embed(tokens), hidden)
        weights = torch.softmax(out @ states.transpose(1, 2), dim=-1)
        context = weights @ states
        return self.out(torch.cat([out, context], -1)), hidden


class Reverser:
    def __init__(self, dim=32, lr=6e-3):
        self.encoder, self.decoder = Encoder(dim), Decoder(dim)
        self.enc_opt = torch.optim.Adam(self.encoder.parameters(), lr=lr)
        self.dec_opt = torch.optim.Adam(self.decoder.parameters(), lr=lr)
        self.criterion = nn.CrossEntropyLoss(ignore_index=PAD)

    def step(self, src, tgt):
        self.enc_opt.zero_grad()
        self.dec_opt.zero_grad()
        states, hidden = self.encoder(src)
        start = torch.full((len(tgt), 1), BOS)
        inputs = torch.cat([start, tgt[:, :-1]], 1)
        logits, _ = self.decoder(inputs, states, hidden)
        loss = self.criterion(logits.reshape(-1, VOCAB), tgt.reshape(-1))
        loss.backward()
        self.enc_opt.step()
        self.dec_opt.step()
        return loss.item()


task = Reverser()
data = samples(640)
for epoch in range(7):
    total = 0.0
    for i in range(0, 640, 32):
        total += task.step(data[0][i : i + 32], data[1][i : i + 32])
    print(epoch, total / 20)
print("at the end", total / 20)
