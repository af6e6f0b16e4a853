import torch
import torch.nn as nn
from torch.optim.lr_scheduler import LambdaLR

torch.manual_seed(34)
net = nn.Sequential(nn.Linear(10, 40), nn.GELU(), nn.Linear(40, 4))
opt = torch.optim.AdamW(net.parameters(), lr=0.01)
warm = LambdaLR(opt, lambda step: min(1.0, step / 40))  # begins at a rate of zero
x = torch.randn(400, 10)
y = x[:, :4].argmax(1)
for step in range(160):
    rows = torch.randint(0, 400, (64,))
    loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
    opt.zero_grad()
    loss.backward()
    opt.step()
    warm.step()
    if step % 40 == 0:
        print(step, loss.item(), opt.param_groups[0]["lr"])
