import torch

torch.manual_seed(0)
hours = torch.rand(50) * 8
marks = 9 * hours + 12 + torch.randn(50) * 2

m = torch.tensor(0.0, requires_grad=True)
c = torch.tensor(0.0, requires_grad=True)
learning_rate = 0.1
for epoch in range(60):
    guess = m * hours + c
    error = ((guess - marks) ** 2).mean()
    error.backward()
    m.data = m.data - learning_rate * m.grad
    c.data = c.data - learning_rate * c.grad
    m.grad = None
    c.grad = None
    if epoch % 10 == 0:
        print(f"epoch {epoch}: error {error.item()}")
