import torch

torch.manual_seed(0)
x = torch.linspace(0, 1, 30)
y = 2 * x ** 2 - x + 0.5
c = torch.tensor([0.1, 0.1, 0.1], requires_grad=True)
for i in range(150):
    loss = ((c[0] * x ** 2 + c[1] * x + c[2] - y) ** 2).mean()
    g, = torch.autograd.grad(loss, [c])
    c = (c - 0.5 * g).detach().requires_grad_(True)
print(c.tolist(), loss.item())
