"""Word2vec: skip-gram with negative samples, 5,000 words x 100, batch 256, Adam; other words at every step."""

import torch
from torch import nn
from torch.nn import functional as F

BATCH, VOCAB, WIDTH, NEGATIVES = 256, 5000, 100, 5


class SkipGram(nn.Module):
    def __init__(self):
        super().__init__()
        self.centers = nn.Embedding(VOCAB, WIDTH)
        self.contexts = nn.Embedding(VOCAB, WIDTH)

    def forward(self, center, context, negatives):
        v = self.centers(center)
        positive = (v * self.contexts(context)).sum(dim=1)
        negative = torch.bmm(self.contexts(negatives), v.unsqueeze(2)).squeeze(2)
        return -(F.logsigmoid(positive) + F.logsigmoid(-negative).sum(dim=1)).mean()


torch.manual_seed(0)
pairs = torch.randint(0, VOCAB, (20_000, 2))
model = SkipGram()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)


def train(steps):
    losses = []
    for _ in range(steps):
        batch = pairs[torch.randint(0, len(pairs), (BATCH,))]
        negatives = torch.randint(0, VOCAB, (BATCH, NEGATIVES))
        loss = model(batch[:, 0], batch[:, 1], negatives)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def flops():
    return 3 * 2 * BATCH * (1 + NEGATIVES) * WIDTH
