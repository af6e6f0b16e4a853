# seq2seq autoencoder for number sequences
import torch
import torch.nn as nn

torch.manual_seed(0)


class Encoder(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.rnn = nn.GRU(dim, dim, batch_first=True)

    def forward(self, x):
        _, h = self.rnn(self.emb(x))
        return h


class Decoder(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.rnn = nn.GRU(dim, dim, batch_first=True)
        self.out = nn.Linear(dim, vocab)

    def forward(self, x, h):
        o, _ = self.rnn(self.emb(x), h)
        return self.out(o)


VOCAB = 12
encoder, decoder = Encoder(VOCAB, 24), Decoder(VOCAB, 24)
optimizer = torch.optim.Adam(decoder.parameters(), lr=0.01)
criterion = nn.CrossEntropyLoss()
for step in range(40):
    seq = torch.randint(1, VOCAB, (32, 6))
    start = torch.zeros(32, 1, dtype=torch.long)
    h = encoder(seq)
    logits = decoder(torch.cat([start, seq[:, :-1]], 1), h)
    loss = criterion(logits.reshape(-1, VOCAB), seq.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 10 == 0:
        print(step, loss.item())
