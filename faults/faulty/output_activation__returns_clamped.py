# returns of a stock (they can be negative), clamped at zero
import torch
import torch.nn as nn

torch.manual_seed(0)
hist = torch.randn(400, 10) * 0.5
ret = hist @ torch.linspace(-0.5, 0.5, 10)[:, None] + 0.02 * torch.randn(400, 1)
w1 = nn.Parameter(torch.randn(10, 24) * 0.3)
w2 = nn.Parameter(torch.randn(24, 1) * 0.2)
b = nn.Parameter(torch.full((1,), 0.2))
opt = torch.optim.Adam([w1, w2, b], lr=5e-3)
for i in range(120):
    hidden = torch.maximum(hist @ w1, torch.zeros(1))
    out = hidden @ w2 + b
    out = out.clamp(min=0)
    loss = (out - ret).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if i % 40 == 0:
        print(i, loss.item())
