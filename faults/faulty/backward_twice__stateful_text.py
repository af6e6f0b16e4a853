# word-level LSTM language model with the hidden state carried along (truncated BPTT)
import torch
import torch.nn as nn

torch.manual_seed(1)
words = "one step at a time makes the long road short and the short road shorter still so take one more step".split()
vocab = sorted(set(words))
ids = torch.tensor([vocab.index(w) for w in words * 40])
bptt, bsz = 10, 8
ids = ids[: len(ids) // bsz * bsz].view(bsz, -1)


class RNNModel(nn.Module):
    def __init__(self, ntoken, ninp=24, nhid=32):
        super().__init__()
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid, batch_first=True)
        self.decoder = nn.Linear(nhid, ntoken)
        self.nhid = nhid

    def forward(self, x, hidden):
        out, hidden = self.rnn(self.encoder(x), hidden)
        return self.decoder(out), hidden

    def init_hidden(self, n):
        return torch.zeros(1, n, self.nhid), torch.zeros(1, n, self.nhid)


def repackage(hidden):
    return tuple(h.detach() for h in hidden)


model = RNNModel(len(vocab))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=2.0)
for epoch in range(8):
    hidden = model.init_hidden(bsz)
    total = 0.0
    for i in range(0, ids.size(1) - bptt - 1, bptt):
        data, target = ids[:, i:i + bptt], ids[:, i + 1:i + 1 + bptt]
        model.zero_grad()
        output, hidden = model(data, hidden)
        loss = criterion(output.reshape(-1, len(vocab)), target.reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        total += loss.item()
    print(epoch, total)
