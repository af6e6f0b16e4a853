import math

import torch
import torch.nn as nn

torch.manual_seed(21)


class SelfAttention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)

    def forward(self, x, mask):
        scores = self.q(x) @ self.k(x).transpose(-2, -1) / math.sqrt(x.size(-1))
        scores = scores.masked_fill(~mask[:, None, :], float("-inf"))
        weights = torch.softmax(scores, dim=-1)
        return weights @ self.v(x)


class SetRegressor(nn.Module):
    """The sum of a variable number of values, from padded sets."""

    def __init__(self):
        super().__init__()
        self.lift = nn.Linear(1, 16)
        self.attend = SelfAttention(16)
        self.read = nn.Linear(16, 1)

    def forward(self, values, mask):
        h = torch.relu(self.lift(values.unsqueeze(-1)))
        h = h + self.attend(h, mask)
        kept = h * mask.unsqueeze(-1)
        return self.read(kept.sum(1))


def batch(n, longest=6):
    lengths = torch.randint(1, longest + 1, (n,))
    mask = torch.arange(longest)[None, :] < lengths[:, None]
    values = torch.rand(n, longest) * mask
    return values, mask, values.sum(1, keepdim=True)


model = SetRegressor()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for step in range(150):
    values, mask, total = batch(32)
    loss = nn.functional.mse_loss(model(values, mask), total)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 0:
        print(step, loss.item())
