"""Exclusive or with a small tanh network: the loss is flat for a while before it falls."""
import torch
import torch.nn as nn

torch.manual_seed(42)
x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
net = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1), nn.Sigmoid())
optimizer = torch.optim.SGD(net.parameters(), lr=0.9)
loss_fn = nn.BCELoss()
for step in range(600):
    loss = loss_fn(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(step, round(loss.item(), 4))
print(net(x).round().flatten().tolist())
