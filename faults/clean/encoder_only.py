import torch
import torch.nn as nn

torch.manual_seed(22)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(12, 16)
        self.gru = nn.GRU(16, 16, batch_first=True)

    def forward(self, s):
        return self.gru(self.emb(s))[1]


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(12, 16)
        self.gru = nn.GRU(16, 16, batch_first=True)
        self.out = nn.Linear(16, 12)

    def forward(self, t, h):
        y, h = self.gru(self.emb(t), h)
        return self.out(y)


src = torch.randint(1, 12, (96, 5))
tgt = src.flip(1)
inp = torch.cat([torch.zeros(96, 1, dtype=torch.long), tgt[:, :-1]], 1)
encoder, decoder = Encoder(), Decoder()
optimizer = torch.optim.Adam(list(encoder.parameters()) + list(decoder.parameters()), lr=1e-2)
criterion = nn.CrossEntropyLoss()
for epoch in range(15):
    for i in range(0, 96, 32):
        optimizer.zero_grad()
        logits = decoder(inp[i : i + 32], encoder(src[i : i + 32]))
        loss = criterion(logits.reshape(-1, 12), tgt[i : i + 32].reshape(-1))
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
