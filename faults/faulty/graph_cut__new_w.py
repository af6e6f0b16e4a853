# logistic regression written by hand, as in the course
import torch

torch.manual_seed(42)
m = 200
X = torch.randn(m, 3)
y = ((X @ torch.tensor([1.5, -2.0, 0.7]) + 0.3 + 0.3 * torch.randn(m)) > 0).float()

w = torch.zeros(3, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 0.5

for epoch in range(60):
    z = X @ w + b
    a = torch.sigmoid(z)
    cost = -(y * torch.log(a) + (1 - y) * torch.log(1 - a)).mean()
    cost.backward()
    with torch.no_grad():
        w = w - lr * w.grad
        b = b - lr * b.grad
    w.grad.zero_()
    b.grad.zero_()
    if epoch % 20 == 0:
        print(f"cost after {epoch}: {cost.item():.4f}")
print("accuracy", ((torch.sigmoid(X @ w + b) > 0.5).float() == y).float().mean().item())
