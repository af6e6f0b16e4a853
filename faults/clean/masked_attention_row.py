import torch
import torch.nn as nn

torch.manual_seed(67)


class MaskedPool(nn.Module):
    def __init__(self, d=12):
        super().__init__()
        self.score = nn.Linear(d, 1)
        self.fc = nn.Linear(d, 2)

    def forward(self, x, mask):
        s = self.score(x).squeeze(-1)
        s = s.masked_fill(~mask, -1e9)
        a = torch.softmax(s, dim=1)
        return self.fc((a.unsqueeze(-1) * x).sum(1))


x = torch.randn(64, 5, 12)
lens = torch.randint(0, 6, (64,))
lens[3] = 0
mask = torch.arange(5)[None] < lens[:, None]
y = (lens > 2).long()
m = MaskedPool()
opt = torch.optim.Adam(m.parameters(), lr=1e-2)
for e in range(10):
    opt.zero_grad()
    loss = nn.functional.cross_entropy(m(x, mask), y)
    loss.backward()
    opt.step()
    print(e, loss.item())
