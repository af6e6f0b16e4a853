import torch

torch.manual_seed(0)
w = torch.zeros(1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
meta = torch.optim.Adam([w, b], lr=0.05)
for it in range(60):
    meta.zero_grad()
    total = 0.0
    for task in range(4):
        slope = 1.0 + 0.3 * torch.randn(1)
        xs = torch.randn(10)
        ys = slope * xs + 0.5
        inner = ((w * xs + b - ys) ** 2).mean()
        gw, gb = torch.autograd.grad(inner, (w, b), create_graph=True)
        w2, b2 = w - 0.1 * gw, b - 0.1 * gb
        xq = torch.randn(10)
        total = total + ((w2 * xq + b2 - (slope * xq + 0.5)) ** 2).mean()
    total.backward()
    meta.step()
    if it % 20 == 0:
        print(it, total.item())
