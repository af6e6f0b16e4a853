# siamese distance: sqrt at zero
import torch
import torch.nn as nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
opt = torch.optim.Adam(net.parameters(), lr=1e-3)


def distance(a, b):
    return torch.sqrt(((a - b) ** 2).sum(1))


def contrastive(d, same, margin=1.0):
    return (same * d ** 2 + (1 - same) * torch.clamp(margin - d, min=0) ** 2).mean()


pool = torch.randn(40, 6)
for it in range(60):
    i = torch.randint(0, 40, (32,))
    j = torch.randint(0, 40, (32,))
    j[:4] = i[:4]
    same = (i % 4 == j % 4).float()
    opt.zero_grad()
    loss = contrastive(distance(net(pool[i]), net(pool[j])), same)
    loss.backward()
    opt.step()
    if it % 20 == 0:
        print(it, loss.item())
