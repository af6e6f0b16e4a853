import torch
import torch.nn as nn

torch.manual_seed(12)


class TinyUNet(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.down = nn.Conv2d(1, 8, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.mid = nn.Conv2d(8, 16, 3, padding=1)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.head = nn.Conv2d(16, classes, 1)

    def forward(self, x):
        a = torch.relu(self.down(x))
        b = torch.relu(self.mid(self.pool(a)))
        c = torch.relu(self.up(b))
        out = self.head(torch.cat([a, c], dim=1))
        return out


x = torch.randn(24, 1, 8, 8)
blur = nn.functional.avg_pool2d(x, 3, 1, 1)[:, 0]
mask = (blur > 0.2).long() + (blur > -0.2).long()
net = TinyUNet()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
crit = nn.CrossEntropyLoss()
for epoch in range(12):
    for i in range(0, 24, 8):
        opt.zero_grad()
        loss = crit(net(x[i : i + 8]), mask[i : i + 8])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
