import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(500, 6)
x[:250] += 2
enc, dec = nn.Linear(6, 4), nn.Linear(4, 6)
codes = nn.Parameter(torch.randn(16, 4))
opt = torch.optim.Adam([*enc.parameters(), *dec.parameters(), codes], lr=1e-2)
for step in range(100):
    b = x[torch.randint(0, 500, (64,))]
    z = enc(b)
    near = codes[torch.cdist(z, codes).argmin(1)]
    q = z + (near - z).detach()
    loss = nn.functional.mse_loss(dec(q), b) + nn.functional.mse_loss(near, z.detach()) + 0.25 * nn.functional.mse_loss(z, near.detach())
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
