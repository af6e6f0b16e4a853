"""Gradients of four small batches are added before each step: a large batch in parts."""
import torch
import torch.nn as nn

torch.manual_seed(30)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
data = torch.randn(320, 8)
target = data[:, :2].sum(1, keepdim=True)
PARTS = 4
optimizer.zero_grad()
for i, start in enumerate(range(0, 320 * 6, 16)):
    rows = slice(start % 320, start % 320 + 16)
    loss = nn.functional.mse_loss(model(data[rows]), target[rows]) / PARTS
    loss.backward()
    if (i + 1) % PARTS == 0:
        optimizer.step()
        optimizer.zero_grad()
print(loss.item() * PARTS)
