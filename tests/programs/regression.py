"""Diabetes progression by linear regression: mini-batches, momentum, weight decay; then the closed form."""

import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes

torch.manual_seed(3)

data = load_diabetes()
x = torch.tensor(data.data, dtype=torch.float32)
y = torch.tensor(data.target, dtype=torch.float32).unsqueeze(1)
x = (x - x.mean(0)) / x.std(0)
y = (y - y.mean()) / y.std()

model = nn.Linear(x.shape[1], 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-3)
for epoch in range(20):
    total = 0.0
    for batch in torch.randperm(len(x)).split(64):
        loss = nn.functional.mse_loss(model(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1:2d} loss {total / len(x):.4f}")

with torch.no_grad():
    exact = torch.linalg.solve(x.T @ x, x.T @ y)
    best = ((x @ exact - y) ** 2).mean()
    print(f"least squares reaches {best.item():.4f}")
    for name, learned, solved in zip(data.feature_names, model.weight[0], exact[:, 0]):
        print(f"{name:4s} learned {learned.item():7.3f} exact {solved.item():7.3f}")
print(model)
print("bias", model.bias)
