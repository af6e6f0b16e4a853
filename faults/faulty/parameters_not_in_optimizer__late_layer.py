import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)


class Growing(nn.Module):
    """makes its output layer at the first call, when the size is known"""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 6, 5)
        self.out = None

    def forward(self, x):
        h = F.relu(self.conv(x)).flatten(1)
        if self.out is None:
            self.out = nn.Linear(h.shape[1], 2)
        return self.out(h)


def signals(n):
    lab = torch.randint(0, 2, (n,))
    t = torch.linspace(0, 6.28, 32)
    s = torch.stack([torch.sin((2 + 3 * int(l)) * t + torch.rand(1) * 6) for l in lab])
    return s[:, None] + 0.2 * torch.randn(n, 1, 32), lab


model = Growing()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for k in range(60):
    s, lab = signals(32)
    loss = F.cross_entropy(model(s), lab)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if k % 20 == 0:
        print(k, loss.item())
