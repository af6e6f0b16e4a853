import torch
import torch.nn as nn

torch.manual_seed(0)
x = torch.randn(200, 4)
y = (x @ torch.tensor([1.0, -2.0, 0.5, 3.0]))[:, None] + 0.7
model = nn.Linear(4, 1)
rate = 1e-1
for epoch in range(100):
    loss = nn.MSELoss()(model(x), y)
    model.zero_grad()
    loss.backward()
    for p in model.parameters():
        p.data = p.data - rate * p.grad
    if epoch % 20 == 0:
        print(epoch, loss.item())
