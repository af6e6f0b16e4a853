# one layer on zeros: convex, so zeros are fine
import torch
from sklearn.datasets import load_breast_cancer

X, t = load_breast_cancer(return_X_y=True)
X = torch.tensor((X - X.mean(0)) / X.std(0), dtype=torch.float32)
t = torch.tensor(t, dtype=torch.float32)
w = torch.zeros(30, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for i in range(100):
    z = X @ w + b
    loss = torch.nn.functional.binary_cross_entropy_with_logits(z, t)
    loss.backward()
    with torch.no_grad():
        w -= 0.5 * w.grad
        b -= 0.5 * b.grad
        w.grad.zero_()
        b.grad.zero_()
print(loss.item(), ((z > 0).float() == t).float().mean().item())
