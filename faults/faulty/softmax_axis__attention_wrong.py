import math

import torch
import torch.nn as nn

torch.manual_seed(36)


class Attention(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)

    def forward(self, x):
        q, k, v = self.q(x), self.k(x), self.v(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
        weights = torch.softmax(scores, dim=0)
        return weights @ v


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(10, 16)
        self.att = Attention(16)
        self.out = nn.Linear(16, 10)

    def forward(self, t):
        h = self.emb(t)
        return self.out(h + self.att(h))


tok = torch.randint(0, 10, (64, 6))
goal = torch.sort(tok, 1)[0]
model = Model()
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
for e in range(20):
    opt.zero_grad()
    loss = nn.functional.cross_entropy(model(tok).transpose(1, 2), goal)
    loss.backward()
    opt.step()
print(loss.item())
