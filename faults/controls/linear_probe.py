"""Only the head is given to the optimizer; the pretrained body still gets gradients, which nobody uses."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(37)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(6, 20)
        self.head = nn.Linear(20, 2)

    def forward(self, x):
        return self.head(F.relu(self.body(x)))


net = Net()
x = torch.randn(256, 6)
first, second = (x[:, 0] > 0).long(), (x[:, 0] + x[:, 1] > 0).long()
for target, parameters in ((first, net.parameters()), (second, net.head.parameters())):
    optimizer = torch.optim.SGD(parameters, lr=0.2)
    for epoch in range(30):
        net.zero_grad()
        loss = F.cross_entropy(net(x), target)
        loss.backward()
        optimizer.step()
    print(loss.item())
