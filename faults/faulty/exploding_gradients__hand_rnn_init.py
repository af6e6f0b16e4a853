import torch
import torch.nn as nn

torch.manual_seed(74)
H, T = 24, 30
Wx = nn.Parameter(torch.randn(2, H) * 0.3)
Wh = nn.Parameter(torch.randn(H, H) * 0.8)
Wo = nn.Parameter(torch.randn(H, 1) * 0.2)
opt = torch.optim.SGD([Wx, Wh, Wo], lr=1e-2)
x = torch.randn(64, T, 2)
y = x[:, :, 0].mean(1, keepdim=True)
for i in range(30):
    h = torch.zeros(64, H)
    for t in range(T):
        h = torch.relu(x[:, t] @ Wx + h @ Wh)
    loss = ((h @ Wo - y) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if i % 10 == 0:
        print(i, loss.item())
