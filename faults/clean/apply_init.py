import torch
from torch import nn


def init_weights(m):
    if isinstance(m, nn.Linear):
        nn.init.kaiming_uniform_(m.weight)
        m.bias.data.zero_()


torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 2))
net.apply(init_weights)
opt = torch.optim.Adam(net.parameters(), lr=0.01)
x = torch.randn(256, 4)
y = (x[:, 0] * x[:, 1] > 0).long()
for epoch in range(100):
    opt.zero_grad()
    loss = nn.functional.cross_entropy(net(x), y)
    loss.backward()
    opt.step()
    if epoch % 25 == 0:
        print(epoch, loss.item())
