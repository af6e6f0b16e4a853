import torch
import torch.nn as nn

torch.manual_seed(0)
body = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 2))
opt = torch.optim.Adam(body.parameters(), lr=0.01)
x = torch.randn(200, 8)
pad = torch.zeros(200, 4)
y = (x[:, 0] > 0).long()
for _ in range(40):
    opt.zero_grad()
    nn.functional.cross_entropy(body(torch.cat([x, pad], 1)), y).backward()
    opt.step()
body.requires_grad_(False)
prompt = nn.Parameter(torch.zeros(4))
opt = torch.optim.Adam([prompt], lr=0.05)
y2 = (x[:, 0] > 0.3).long()
for i in range(40):
    loss = nn.functional.cross_entropy(body(torch.cat([x, prompt.expand(200, 4)], 1)), y2)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
