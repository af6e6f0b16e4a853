import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(49)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(9, 32)
        self.mid = nn.Linear(32, 32)
        self.head = nn.Linear(32, 3)
        self.embed.weight.requires_grad = False
        self.mid.requires_grad_(False)

    def forward(self, x):
        return self.head(F.relu(self.mid(F.relu(self.embed(x)))))


net = Net()
opt = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=3e-3)
x = torch.randn(240, 9)
y = (x[:, 0] * x[:, 1] > 0).long() + (x[:, 2] * x[:, 3] > 0).long()
for e in range(20):
    for i in range(0, 240, 40):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i : i + 40]), y[i : i + 40])
        loss.backward()
        opt.step()
    print(e, loss.item())
