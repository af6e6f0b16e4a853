# two layer net written with clamp(min=0) like in the tutorial
import torch

torch.manual_seed(0)
N, D_in, H, D_out = 64, 20, 50, 2
x = torch.rand(N, D_in)
y = torch.randn(N, D_out)
w1 = (torch.rand(D_in, H) * -0.2).requires_grad_(True)
w2 = (torch.randn(H, D_out) * 0.2).requires_grad_(True)
b2 = torch.zeros(D_out, requires_grad=True)
lr = 0.01
for t in range(150):
    h = x.mm(w1).clamp(min=0)
    y_pred = h.mm(w2) + b2
    loss = (y_pred - y).pow(2).mean()
    if t % 50 == 0:
        print(t, loss.item())
    loss.backward()
    with torch.no_grad():
        for p in (w1, w2, b2):
            p -= lr * p.grad
            p.grad.zero_()
