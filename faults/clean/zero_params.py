import torch
import torch.nn as nn


class TwoLayer(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.W1 = nn.Parameter(torch.randn(d, h) * 0.3)
        self.b1 = nn.Parameter(torch.zeros(h))
        self.W2 = nn.Parameter(torch.randn(h, 2) * 0.3)
        self.b2 = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        return torch.relu(x @ self.W1 + self.b1) @ self.W2 + self.b2


torch.manual_seed(72)
x = torch.randn(200, 5)
y = (x[:, 0] > 0).long()
m = TwoLayer(5, 16)
opt = torch.optim.SGD(m.parameters(), lr=0.5)
for e in range(30):
    loss = nn.functional.cross_entropy(m(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
