import torch
import torch.nn as nn

torch.manual_seed(30)
alpha = nn.Parameter(torch.tensor(0.1))
lin = nn.Linear(4, 1)
opt = torch.optim.Adam([alpha, *lin.parameters()], lr=2e-2)
x = torch.randn(100, 4)
y = torch.exp(0.8 * x[:, :1]) + 0.5
for step in range(80):
    pred = torch.exp(alpha * lin(x))
    loss = (pred - y).abs().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item(), alpha.item())
