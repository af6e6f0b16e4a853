import torch
import torch.nn as nn

torch.manual_seed(20)
u, v = nn.Embedding(30, 6), nn.Embedding(40, 6)
opt = torch.optim.SGD([*u.parameters(), *v.parameters()], lr=2.0, weight_decay=1e-5)
a, b = torch.randint(0, 30, (600,)), torch.randint(0, 40, (600,))
r = (1 + (a % 3) + (b % 3)).float()
for e in range(15):
    for i in torch.randperm(600).split(60):
        pred = 1 + 4 * torch.sigmoid((u(a[i]) * v(b[i])).sum(1))
        loss = nn.functional.mse_loss(pred, r[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(e, loss.item())
