import torch
import torch.nn as nn

torch.manual_seed(21)


class MultiHead(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = nn.ModuleList([nn.Linear(d, d // heads) for _ in range(heads)])
        self.proj = nn.Linear(d, 3)

    def forward(self, x):
        return self.proj(torch.cat([torch.tanh(h(x)) for h in self.heads], dim=1))


x = torch.randn(210, 8)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
net = MultiHead(8, 4)
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
ce = nn.CrossEntropyLoss()
for e in range(15):
    for i in range(0, 210, 30):
        opt.zero_grad()
        loss = ce(net(x[i : i + 30]), y[i : i + 30])
        loss.backward()
        opt.step()
    print(e, loss.item())
