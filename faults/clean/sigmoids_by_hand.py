import torch

torch.manual_seed(0)
X = torch.randn(300, 8)
T = (X[:, :1] - X[:, 1:2] > 0).float()
sizes = [8] + [16] * 8 + [1]
Ws = [(torch.randn(a, b) * 0.3).requires_grad_() for a, b in zip(sizes, sizes[1:])]
bs = [torch.zeros(b, requires_grad=True) for b in sizes[1:]]


def act(z):
    return torch.where(z > 0, z, 0.1 * z) * 1.9


def net(h):
    for W, b in zip(Ws[:-1], bs[:-1]):
        h = act(h @ W + b)
    return h @ Ws[-1] + bs[-1]


lr = 0.05
for it in range(80):
    loss = torch.nn.functional.binary_cross_entropy_with_logits(net(X), T)
    loss.backward()
    with torch.no_grad():
        for p in Ws + bs:
            p -= lr * p.grad
            p.grad = None
    if it % 20 == 0:
        print(it, loss.item())
