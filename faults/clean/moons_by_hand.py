# Two-layer network without nn.Module
import torch
from sklearn.datasets import make_moons

torch.manual_seed(0)
X, y = make_moons(300, noise=0.15, random_state=0)
X = torch.tensor(X).float()
y = torch.tensor(y).float().view(-1, 1)

W1 = (torch.randn(2, 24) * 0.7).requires_grad_()
b1 = torch.zeros(24, requires_grad=True)
W2 = (torch.randn(24, 1) * 0.3).requires_grad_()
b2 = torch.zeros(1, requires_grad=True)
params = [W1, b1, W2, b2]
lr = 0.5

for step in range(400):
    hidden = torch.tanh(X @ W1 + b1)
    prob = torch.sigmoid(hidden @ W2 + b2)
    loss = -(y * torch.log(prob + 1e-7) + (1 - y) * torch.log(1 - prob + 1e-7)).mean()
    loss.backward()
    with torch.no_grad():
        for p in params:
            p -= lr * p.grad
            p.grad = None
    if step % 100 == 0:
        acc = ((prob > 0.5).float() == y).float().mean()
        print(step, loss.item(), acc.item())
