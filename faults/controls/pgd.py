import torch
import torch.nn as nn

torch.manual_seed(5)
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
x = torch.randn(128, 8)
y = (x[:, 0] > 0).long()
ce = nn.CrossEntropyLoss()
for e in range(12):
    adv = x.clone()
    for _ in range(4):
        adv = adv.detach().requires_grad_(True)
        g = torch.autograd.grad(ce(net(adv), y), adv)[0]
        adv = torch.clamp(adv + 0.05 * g.sign(), min=x - 0.1, max=x + 0.1)
    opt.zero_grad()
    loss = ce(net(adv.detach()), y)
    loss.backward()
    opt.step()
    print(e, loss.item())
