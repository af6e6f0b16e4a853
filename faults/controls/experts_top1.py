"""Mixture of experts, top-1 routing; with small batches some experts get no sample."""
import torch
import torch.nn.functional as F
from torch import nn


class MoE(nn.Module):
    def __init__(self, d, n):
        super().__init__()
        self.gate = nn.Linear(d, n)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(d, 16), nn.ReLU(), nn.Linear(16, 2)) for _ in range(n))

    def forward(self, x):
        p = F.softmax(self.gate(x), dim=-1)
        w, k = p.max(-1)
        out = torch.zeros(len(x), 2)
        for e, expert in enumerate(self.experts):
            rows = (k == e).nonzero().squeeze(1)
            if len(rows):
                out = out.index_add(0, rows, w[rows].unsqueeze(1) * expert(x[rows]))
        balance = len(self.experts) * (F.one_hot(k, len(self.experts)).float().mean(0) * p.mean(0)).sum()
        return out, balance


torch.manual_seed(19)
net = MoE(5, 8)
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for it in range(100):
    x = torch.randn(12, 5)
    y = (x[:, 0] > x[:, 1]).long()
    out, balance = net(x)
    loss = F.cross_entropy(out, y) + 0.01 * balance
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 20 == 0:
        print(it, loss.item())
