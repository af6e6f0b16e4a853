# the XOR net of the course: sigmoids, big learning rate, squared error
import torch

torch.manual_seed(1)
X = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
T = torch.tensor([[0.0], [1], [1], [0]])
W1 = torch.randn(2, 4, requires_grad=True)
b1 = torch.randn(4, requires_grad=True)
W2 = torch.randn(4, 1, requires_grad=True)
b2 = torch.randn(1, requires_grad=True)
for i in range(900):
    h = 1 / (1 + torch.exp(-(X @ W1 + b1)))
    o = 1 / (1 + torch.exp(-(h @ W2 + b2)))
    loss = ((o - T) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        for p in (W1, b1, W2, b2):
            p -= 4.0 * p.grad
            p.grad.zero_()
print(loss.item(), o.detach().flatten().tolist())
