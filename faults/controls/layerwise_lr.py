import torch
from torch import nn
from sklearn.datasets import load_digits
torch.manual_seed(0)
d = load_digits()
x, y = torch.tensor(d.images, dtype=torch.float32).unsqueeze(1) / 16, torch.tensor(d.target)
net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10))
warm = torch.optim.Adam(net.parameters(), lr=3e-3)
for idx in torch.randperm(len(y)).split(64):
    warm.zero_grad()
    nn.functional.cross_entropy(net(x[idx]), y[idx]).backward()
    warm.step()
# gradual unfreezing: head first, then everything with a smaller rate for the lower layers
for p in net[0].parameters():
    p.requires_grad = False
for phase in range(2):
    opt = torch.optim.Adam([{"params": net[0].parameters(), "lr": 1e-4}, {"params": net[4].parameters(), "lr": 3e-3}])
    for epoch in range(2):
        for idx in torch.randperm(len(y)).split(64):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(net(x[idx]), y[idx])
            loss.backward()
            opt.step()
    for p in net[0].parameters():
        p.requires_grad = True
print(loss.item())
