# heavy dropout on a wide bag-of-words input, as in old text models
import torch
from torch import nn
torch.manual_seed(0)
y = torch.randint(0, 3, (600,)); X = torch.zeros(600, 300)
for i in range(600):
    X[i, torch.randint(0, 300, (30,))] = 1; X[i, y[i] * 60 + torch.randint(0, 60, (20,))] = 1
net = nn.Sequential(nn.Dropout(0.5), nn.Linear(300, 128), nn.ReLU(), nn.Dropout(0.8), nn.Linear(128, 3))
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(8):
    net.train()
    for part in torch.randperm(500).split(50):
        loss = nn.functional.cross_entropy(net(X[part]), y[part]); opt.zero_grad(); loss.backward(); opt.step()
    net.eval()
    with torch.no_grad():
        print(epoch, loss.item(), (net(X[500:]).argmax(1) == y[500:]).float().mean().item())
