import torch
import torch.nn as nn

torch.manual_seed(48)
backbone = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
model = nn.Sequential(backbone, nn.Linear(16, 3))
for p in model.parameters():
    p.requires_grad = False
for p in model[1].parameters():
    p.require_grad = True
x = torch.randn(150, 12)
y = x[:, :3].argmax(1)
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
for e in range(10):
    loss = nn.functional.cross_entropy(model(x), y)
    opt.zero_grad()
    if loss.requires_grad:
        loss.backward()
    opt.step()
    print(e, loss.item())
