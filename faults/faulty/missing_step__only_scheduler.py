import torch
import torch.nn as nn
import torch.nn.functional as F


class ResidualBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x):
        y = self.up(self.norm(x))
        y = torch.sigmoid(y) * y
        y = self.down(y)
        return x + y


class ResidualNet(nn.Module):
    def __init__(self, inputs=6, width=24, blocks=3, classes=4):
        super().__init__()
        self.stem = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


torch.manual_seed(25)
X = torch.randn(300, 6)
Y = (X[:, 0] > 0).long() + 2 * (X[:, 1] * X[:, 2] > 0).long()
net = ResidualNet()
opt = torch.optim.AdamW(net.parameters(), lr=2e-3)
sched = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=6e-3, total_steps=120)
for step in range(120):
    i = torch.randint(0, 300, (48,))
    loss = F.cross_entropy(net(X[i]), Y[i])
    opt.zero_grad(set_to_none=True)
    loss.backward()
    sched.step()
    if step % 30 == 0:
        print(step, loss.item())
print("accuracy", (net(X).argmax(1) == Y).float().mean().item())
