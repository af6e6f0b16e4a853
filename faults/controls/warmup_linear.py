import torch
import torch.nn as nn

torch.manual_seed(8)
x = torch.randn(256, 8)
y = x[:, :4].argmax(1)
net = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 4))
opt = torch.optim.AdamW(net.parameters(), lr=5e-3)
total = 64
sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: min((s + 1) / 8, max(0.0, (total - s) / (total - 8))))
for e in range(8):
    for i in range(0, 256, 32):
        loss = nn.functional.cross_entropy(net(x[i : i + 32]), y[i : i + 32])
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.05)
        opt.step()
        sched.step()
    print(e, loss.item())
