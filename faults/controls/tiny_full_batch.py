"""Logistic regression from zero weights on eight sorted points, all in one batch."""
import torch
import torch.nn.functional as F

points = torch.tensor([[-2.0], [-1.5], [-1.0], [-0.4], [0.5], [1.0], [1.4], [2.2]])
labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
weight = torch.zeros(2, 1, requires_grad=True)
bias = torch.zeros(2, requires_grad=True)
optimizer = torch.optim.SGD([weight, bias], lr=0.5)
for step in range(40):
    loss = F.cross_entropy(F.linear(points, weight, bias), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item(), weight.flatten().tolist())
