import torch
import torch.nn as nn

torch.manual_seed(0)


class ResBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv = nn.Conv2d(c, c, 3, padding=1)
        self.bn = nn.BatchNorm2d(c)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)) + x)


class SmallResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.b1 = ResBlock(8)
        self.b2 = ResBlock(8)
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = self.b1(x)
        x = self.b2(x)
        x = x.mean((2, 3)).data
        return self.fc(x)


def make_batch(n=32):
    y = torch.randint(0, 2, (n,))
    img = torch.randn(n, 1, 12, 12) * 0.3
    for i in range(n):
        if y[i] == 1:
            img[i, 0, 3:9, 5:7] += 1
        else:
            img[i, 0, 5:7, 3:9] += 1
    return img, y


net = SmallResNet()
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
lossf = nn.CrossEntropyLoss()
for it in range(25):
    img, y = make_batch()
    opt.zero_grad()
    loss = lossf(net(img), y)
    loss.backward()
    opt.step()
    if it % 5 == 0:
        print(it, float(loss))
