"""Sharpness-aware steps that climb twice: gradients are cleared that no optimizer took, but the weights moved by them."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(3)
x = torch.randn(128, 10)
y = x @ torch.randn(10, 1) + 0.1 * torch.randn(128, 1)
net = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)


def gradients():
    optimizer.zero_grad()
    loss = F.mse_loss(net(x), y)
    loss.backward()
    return loss.item()


for epoch in range(15):
    kept = [weight.detach().clone() for weight in net.parameters()]
    for _ in range(2):
        gradients()
        with torch.no_grad():
            for weight in net.parameters():
                weight.add_(0.01 * weight.grad / (weight.grad.norm() + 1e-9))
    loss = gradients()
    with torch.no_grad():
        for weight, before in zip(net.parameters(), kept):
            weight.copy_(before)
    optimizer.step()
print(loss)
