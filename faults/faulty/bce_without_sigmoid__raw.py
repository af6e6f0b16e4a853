import torch
import torch.nn as nn

torch.manual_seed(15)


class LogReg(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.linear = nn.Linear(n, 1)

    def forward(self, x):
        return self.linear(x)


X = torch.randn(100, 4)
y = (X[:, 0] > 0).float().view(-1, 1)
m = LogReg(4)
opt = torch.optim.SGD(m.parameters(), lr=0.5)
crit = nn.BCELoss()
for _ in range(30):
    loss = crit(m(X), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
