# checkpoint is evaluated, then training goes on
import torch
import torch.nn as nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.f1, self.dp, self.f2 = nn.Linear(8, 40), nn.Dropout(0.3), nn.Linear(40, 2)

    def forward(self, x):
        return self.f2(self.dp(torch.relu(self.f1(x))))


x = torch.randn(240, 8)
y = (x[:, 0] * x[:, 1] > 0).long()
xv, yv = torch.randn(60, 8), None
yv = (xv[:, 0] * xv[:, 1] > 0).long()
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)


def evaluate():
    net.eval()
    with torch.no_grad():
        return (net(xv).argmax(1) == yv).float().mean().item()


print("before:", evaluate())
best = 0
for epoch in range(12):
    perm = torch.randperm(240)
    for j in range(0, 240, 48):
        rows = perm[j:j + 48]
        out = net(x[rows])
        loss = nn.functional.cross_entropy(out, y[rows])
        opt.zero_grad(); loss.backward(); opt.step()
    best = max(best, evaluate())
print("best", best)
