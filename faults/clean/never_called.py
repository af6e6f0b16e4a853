import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(34)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(10, 32)
        self.fc2 = nn.Linear(32, 32)
        self.fc3 = nn.Linear(32, 4)

    def forward(self, x):
        h = F.relu(self.fc1(x))
        h2 = F.relu(self.fc2(h))
        return self.fc3(h2)


x = torch.randn(160, 10)
y = x[:, :4].argmax(1)
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for e in range(12):
    for i in range(0, 160, 32):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i : i + 32]), y[i : i + 32])
        loss.backward()
        opt.step()
    print(e, loss.item())
