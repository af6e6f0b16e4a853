import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(14)
enc, dec = nn.Linear(10, 4), nn.Linear(4, 10)
book = nn.Parameter(torch.randn(16, 4) * 0.5)
opt = torch.optim.Adam([*enc.parameters(), *dec.parameters(), book], lr=5e-3)
x = torch.randn(200, 3) @ torch.randn(3, 10)
for e in range(15):
    for b in x.split(40):
        z = enc(b)
        idx = torch.cdist(z, book).argmin(1)
        q = book[idx]
        st = z + (q - z).detach()
        loss = F.mse_loss(dec(st), b) + F.mse_loss(q, z.detach()) + 0.25 * F.mse_loss(z, q.detach())
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(e, loss.item())
