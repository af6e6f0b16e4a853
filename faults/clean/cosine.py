import torch
import torch.nn as nn

torch.manual_seed(33)
x = torch.randn(128, 6)
y = (x.sum(1) > 0).float()
m = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
o = torch.optim.SGD(m.parameters(), lr=0.3, momentum=0.9)
s = torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=10)
for epoch in range(10):
    for i in range(0, 128, 32):
        o.zero_grad()
        now = nn.functional.binary_cross_entropy_with_logits(m(x[i : i + 32]), y[i : i + 32])
        now.backward()
        o.step()
    s.step()
    print(epoch, now.item(), o.param_groups[0]["lr"])
