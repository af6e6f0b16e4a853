import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(7)
img, txt = nn.Linear(12, 8), nn.Linear(10, 8)
scale = nn.Parameter(torch.tensor(1.0))
opt = torch.optim.AdamW([*img.parameters(), *txt.parameters(), scale], lr=1e-2, weight_decay=0.1)
z = torch.randn(96, 4)
a, b = z @ torch.randn(4, 12), z @ torch.randn(4, 10)
for e in range(12):
    for i in torch.randperm(96).split(16):
        u, v = F.normalize(img(a[i]), dim=1), F.normalize(txt(b[i]), dim=1)
        logits = u @ v.t() * scale.exp()
        t = torch.arange(len(i))
        loss = (F.cross_entropy(logits, t) + F.cross_entropy(logits.t(), t)) / 2
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(e, loss.item())
