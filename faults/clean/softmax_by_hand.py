# handmade softmax, three class blobs
import torch
import torch.nn.functional as F

g = torch.Generator().manual_seed(5)
centers = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 2.0]])
y = torch.randint(0, 3, (240,), generator=g)
x = centers[y] + torch.randn(240, 2, generator=g)

W1 = (torch.randn(2, 16, generator=g) * 0.5).requires_grad_()
b1 = torch.zeros(16, requires_grad=True)
W2 = (torch.randn(16, 3, generator=g) * 0.3).requires_grad_()
b2 = torch.zeros(3, requires_grad=True)
params = [W1, b1, W2, b2]


def softmax(z):
    e = torch.exp(z - z.max(dim=1, keepdim=True).values)
    return e / e.sum(dim=1, keepdim=True)


def forward(x):
    h = torch.tanh(x @ W1 + b1)
    logits = h @ W2 + b2
    return logits


opt = torch.optim.Adam(params, lr=0.02)
for i in range(100):
    probs = forward(x)
    loss = F.cross_entropy(probs, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print("final", loss.item())
