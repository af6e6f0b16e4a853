# momentum by hand with .data = , and a copy of the old weights for printing
import torch

torch.manual_seed(0)
x = torch.randn(60, 2)
y = x @ torch.tensor([1.5, -0.5]) + 0.3
w = torch.zeros(2, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
vw, vb = torch.zeros(2), torch.zeros(1)
for i in range(80):
    loss = ((x @ w + b - y) ** 2).mean()
    loss.backward()
    before = w.data
    vw = 0.8 * vw - 0.05 * w.grad
    vb = 0.8 * vb - 0.05 * b.grad
    w.data = w.data + vw
    b.data = b.data + vb
    if i % 20 == 0:
        print(i, loss.item(), (w.data - before).norm().item())
    w.grad = None
    b.grad = None
