import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(57)
centres = torch.randn(4, 6) * 1.5
X = torch.cat([c + torch.randn(60, 6) for c in centres])
Y = torch.arange(4).repeat_interleave(60)
loader = DataLoader(TensorDataset(X, Y), batch_size=20, shuffle=True)
net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(6):
    for xb, yb in loader:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(xb), yb)
        loss.backward()
        opt.step()
    print(epoch, loss.item())
