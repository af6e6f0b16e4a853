import torch
import torch.nn as nn

torch.manual_seed(0)


class TwoLayer(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.W1 = nn.Parameter(torch.randn(d, h) / d)
        self.c1 = nn.Parameter(torch.zeros(h))
        self.W2 = nn.Parameter(torch.randn(h, 1) / h)

    def forward(self, x):
        return torch.tanh(x @ self.W1 + self.c1) @ self.W2


net = TwoLayer(4, 10)
x = torch.randn(256, 4)
y = torch.sin(2 * x[:, :1]) * x[:, 1:2]
opt = torch.optim.Adam(net.parameters(), lr=0.02)
for s in range(120):
    opt.zero_grad()
    loss = ((net(x) - y) ** 2).mean()
    loss.backward()
    opt.step()
print(loss.item())
