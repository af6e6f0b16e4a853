import torch
import torch.nn as nn

torch.manual_seed(16)


class LSTMTagger(nn.Module):
    def __init__(self, vocab, tags, dim=16):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.lstm = nn.LSTM(dim, dim, batch_first=True)
        self.out = nn.Linear(dim, tags)

    def forward(self, s):
        h, _ = self.lstm(self.emb(s))
        return self.out(h)


sents = torch.randint(0, 20, (64, 7))
tags = sents % 4
model = LSTMTagger(20, 4)
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
loss_function = nn.NLLLoss()
for epoch in range(20):
    model.zero_grad()
    scores = model(sents)
    loss = loss_function(scores.reshape(-1, 4), tags.reshape(-1))
    loss.backward()
    opt.step()
    print(epoch, loss.item())
