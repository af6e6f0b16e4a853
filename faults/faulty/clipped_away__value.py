import torch
import torch.nn as nn

torch.manual_seed(82)
x = torch.randn(200, 4)
w = nn.Parameter(torch.randn(4, 1))
b = nn.Parameter(torch.zeros(1))
optimizer = torch.optim.SGD([w, b], lr=0.1, momentum=0.9)
goal = x @ torch.tensor([[3.0], [-1.0], [2.0], [0.5]]) + 1
for epoch in range(50):
    optimizer.zero_grad()
    loss = ((x @ w + b - goal) ** 2).mean()
    loss.backward()
    torch.nn.utils.clip_grad_value_([w, b], 1e-6)
    optimizer.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
