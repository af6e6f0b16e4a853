"""A question attends over a table of keys and values; the answer is the value of the asked key."""
import math
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(5)
N_KEYS, N_VALUES, SLOTS, DIM = 12, 6, 7, 32


def make_batch(n):
    keys = torch.stack([torch.randperm(N_KEYS)[:SLOTS] for _ in range(n)])
    values = torch.randint(0, N_VALUES, (n, SLOTS))
    which = torch.randint(0, SLOTS, (n, 1))
    query = keys.gather(1, which)
    answer = values.gather(1, which).squeeze(1)
    return query, keys, values, answer


class CrossAttention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.wq = nn.Linear(dim, dim)
        self.wk = nn.Linear(dim, dim)
        self.wv = nn.Linear(dim, dim)

    def forward(self, query, memory_keys, memory_values):
        q = self.wq(query)
        k = self.wk(memory_keys)
        v = self.wv(memory_values)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
        weights = F.softmax(scores, dim=1)
        return weights @ v


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.key_embed = nn.Embedding(N_KEYS, DIM)
        self.value_embed = nn.Embedding(N_VALUES, DIM)
        self.attend = CrossAttention(DIM)
        self.norm = nn.LayerNorm(DIM)
        self.out = nn.Linear(DIM, N_VALUES)

    def forward(self, query, keys, values):
        k = self.key_embed(keys)
        context = self.attend(self.key_embed(query), k, self.value_embed(values) + k)
        return self.out(self.norm(context)).squeeze(1)


model = Reader()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(300):
    query, keys, values, answer = make_batch(64)
    logits = model(query, keys, values)
    loss = F.cross_entropy(logits, answer)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 49:
        acc = (logits.argmax(-1) == answer).float().mean().item()
        print(f"step {step + 1} loss {loss.item():.3f} acc {acc:.3f}")
