import torch

torch.manual_seed(55)
x = torch.linspace(0, 1, 50)
y = 3 * x + 1 + 0.05 * torch.randn(50)
w = torch.randn(1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for i in range(100):
    loss = ((w * x + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        for p in (w, b):
            p -= 0.1 * p.grad
            p.grad.zero_()
    if i % 20 == 0:
        print(i, loss.item())
