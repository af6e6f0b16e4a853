import torch
import torch.nn as nn
import torch.nn.functional as F


class DeepNet(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:])])

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


def get_batch(size):
    x = torch.randn(size, 6)
    target = (x[:, :1] * x[:, 1:2] + torch.sin(x[:, 2:3])).clone()
    return x, target


if __name__ == "__main__":
    torch.manual_seed(9)
    net = DeepNet([6, 32, 32, 1])
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0, momentum=0.9)
    losses = []
    for step in range(200):
        x, target = get_batch(64)
        prediction = net(x)
        loss = F.mse_loss(prediction, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print("first", sum(losses[:10]) / 10, "last", sum(losses[-10:]) / 10)
