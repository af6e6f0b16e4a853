# Linear regression without a module or an optimizer.
import torch

torch.manual_seed(2)
n = 64
x = torch.rand(n) * 4 - 2
y = 3.0 * x - 1.0 + 0.1 * torch.randn(n)

w = torch.zeros(1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 0.05
for epoch in range(100):
    y_hat = x * w + b
    loss = ((y_hat - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
        b -= lr * b.grad
    w.grad.zero_()
    b.grad.zero_()
    if epoch % 20 == 0:
        print(epoch, loss.item(), w.item(), b.item())
