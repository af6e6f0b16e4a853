import torch
import torch.nn as nn

torch.manual_seed(2)
x = torch.randn(150, 5)
y = (x[:, 0] > x[:, 1]).long()
for fold in range(5):
    val = torch.arange(150) % 5 == fold
    model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 2))
    opt = torch.optim.Adam(model.parameters(), lr=1e-2)
    for e in range(15):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(x[~val]), y[~val])
        loss.backward()
        opt.step()
    with torch.no_grad():
        print(fold, (model(x[val]).argmax(1) == y[val]).float().mean().item())
