import torch
import torch.nn as nn

torch.manual_seed(51)


class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.fc = nn.Linear(16 * 2 * 2, 2)

    def forward(self, x):
        x = torch.max_pool2d(self.conv1(x).relu(), 2)
        x = torch.max_pool2d(self.conv2(x).relu(), 2)
        return self.fc(x.flatten(1))


x = torch.randn(120, 1, 8, 8)
x[:60, :, 2:4] += 1.5
x[60:, :, :, 2:4] += 1.5
y = torch.arange(120).ge(60).long()
net = CNN()
opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
for e in range(15):
    for idx in torch.randperm(120).split(30):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x[idx]), y[idx])
        loss.backward()
        opt.step()
    print(e, loss.item())
