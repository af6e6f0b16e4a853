import torch

torch.manual_seed(0)
X = torch.randn(200, 3)
true_w = torch.tensor([[1.5], [-2.0], [0.7]])
Y = X @ true_w + 0.3 + 0.05 * torch.randn(200, 1)
w = torch.zeros(3, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 0.1
for epoch in range(60):
    err = X.mm(w) + b - Y
    loss = err.pow(2).mean()
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
        b -= lr * b.grad
        w.grad.zero_()
    if epoch % 10 == 0:
        print(epoch, float(loss))
print(w.view(-1), b)
