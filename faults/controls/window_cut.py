import torch
import torch.nn as nn

torch.manual_seed(4)
cell, out = nn.GRUCell(2, 16), nn.Linear(16, 1)
opt = torch.optim.Adam([*cell.parameters(), *out.parameters()], lr=5e-3)
x = torch.randn(40, 20, 2)
y = x[:, :, :1].roll(1, 1)
for e in range(25):
    h = torch.zeros(40, 16)
    loss = 0.0
    for t in range(20):
        h = cell(x[:, t], h)
        loss = loss + nn.functional.mse_loss(out(h), y[:, t])
        if t % 5 == 4:
            h = h.detach()
    opt.zero_grad()
    (loss / 20).backward()
    opt.step()
print(loss.item())
