import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(37)


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.l1 = nn.Linear(8, 32)
        self.l2 = nn.Linear(32, 3)

    def forward(self, x):
        x = self.l2(F.relu(self.l1(x)))
        return F.log_softmax(x, dim=0)


x = torch.randn(180, 8)
y = x[:, :3].argmax(1)
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(15):
    for i in range(0, 180, 30):
        opt.zero_grad()
        loss = F.nll_loss(net(x[i : i + 30]), y[i : i + 30])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
