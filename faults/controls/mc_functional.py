import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(16)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 32), nn.Linear(32, 1)

    def forward(self, x):
        return self.b(F.dropout(F.relu(self.a(x)), p=0.2, training=True))


net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
x = torch.randn(120, 3)
y = x.sum(1, keepdim=True)
for e in range(8):
    net.train()
    for i in range(0, 120, 30):
        opt.zero_grad()
        loss = F.mse_loss(net(x[i : i + 30]), y[i : i + 30])
        loss.backward()
        opt.step()
    net.eval()
    with torch.no_grad():
        draws = torch.stack([net(x[:20]) for _ in range(10)])
    print(e, draws.mean().item(), draws.std(0).mean().item())
