import torch
import torch.nn as nn

torch.manual_seed(66)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(6, 32)
        self.b = nn.Linear(32, 4)

    def forward(self, x):
        return torch.softmax(self.b(torch.relu(self.a(x))) * 40, dim=1)


x = torch.randn(160, 6) * 4
y = x[:, :4].argmax(1)
onehot = torch.eye(4)[y]
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for e in range(15):
    p = net(x)
    loss = -(onehot * torch.log(p.clamp(min=1e-7))).sum(1).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(e, loss.item())
