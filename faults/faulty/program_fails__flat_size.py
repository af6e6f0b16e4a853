# Which quarter of a small picture is brightest
import torch
from torch import nn

torch.manual_seed(12)
pictures = torch.rand(256, 1, 12, 12) * 0.4
corner = torch.randint(0, 4, (256,))
for picture, where in zip(pictures, corner):
    top, left = 6 * (where // 2), 6 * (where % 2)
    picture[0, top:top + 6, left:left + 6] += 0.5
pictures = pictures - pictures.mean()


class Quarters(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(6 * 12 * 12, 4)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv(x)))
        x = x.flatten(1)
        return self.fc(x)


net = Quarters()
optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
criterion = nn.CrossEntropyLoss()
for epoch in range(8):
    for rows in torch.randperm(256).split(32):
        loss = criterion(net(pictures[rows]), corner[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, round(loss.item(), 3))
