"""Up to three batches are tried for each step; those whose gradient is out of the ordinary are left out."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(3)
x = torch.randn(128, 10)
y = x @ torch.randn(10, 1) + 0.1 * torch.randn(128, 1)
net = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.05)
usual = 1.0
for step in range(30):
    for attempt in range(3):
        i = torch.randint(0, 128, (16,))
        opt.zero_grad()
        loss = F.mse_loss(net(x[i]), y[i])
        loss.backward()
        norm = nn.utils.clip_grad_norm_(net.parameters(), 1e9)
        if norm < 0.8 * usual:
            break
    usual = 0.9 * usual + 0.1 * norm.item()
    opt.step()
print(loss.item())
