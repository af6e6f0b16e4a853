import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes

torch.manual_seed(0)
d = load_diabetes()
X = torch.tensor(d.data, dtype=torch.float32) * 20
y = torch.tensor(d.target, dtype=torch.float32).unsqueeze(1) / 50  # about 0.5 .. 7


class Reg(nn.Module):
    def __init__(self):
        super().__init__()
        self.h = nn.Linear(10, 32)
        self.o = nn.Linear(32, 1)

    def forward(self, x):
        z = torch.tanh(self.h(x))
        return torch.tanh(self.o(z))


m = Reg()
opt = torch.optim.Adam(m.parameters(), lr=0.01)
for ep in range(100):
    opt.zero_grad()
    l = nn.functional.mse_loss(m(X), y)
    l.backward()
    opt.step()
    if ep % 25 == 0:
        print(ep, l.item())
