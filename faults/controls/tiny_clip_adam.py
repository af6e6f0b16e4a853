import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(400, 10)
y = (x[:, :5].sum(1) > 0).float()
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(6):
    for idx in torch.randperm(400).split(40):
        loss = nn.functional.binary_cross_entropy_with_logits(net(x[idx]).squeeze(1), y[idx])
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.1)   # Adam does not mind the scale
        opt.step()
    print(loss.item())
