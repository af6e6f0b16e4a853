"""An encoder and a decoder that give back what they read: the decoder sees only the letters before."""
import torch
from torch import nn

torch.manual_seed(5)
BEGIN, LETTERS, LENGTH = 0, 12, 6


class Echo(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.embed = nn.Embedding(LETTERS + 1, dim)
        self.reader = nn.GRU(dim, dim, batch_first=True)
        self.writer = nn.GRU(dim, dim, batch_first=True)
        self.out = nn.Linear(dim, LETTERS + 1)

    def forward(self, words, before):
        _, summary = self.reader(self.embed(words))
        states, _ = self.writer(self.embed(before), summary)
        return self.out(states)


net = Echo()
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
for step in range(150):
    words = torch.randint(1, LETTERS + 1, (32, LENGTH))
    before = torch.cat([torch.full((32, 1), BEGIN), words[:, :-1]], dim=1)
    scores = net(words, before)
    loss = nn.functional.cross_entropy(scores.transpose(1, 2), words)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 0:
        print(step, loss.item())
