import torch
import torch.nn as nn

torch.manual_seed(14)
X = torch.randn(200, 5)
y = ((X ** 2).sum(1) > 5).float().unsqueeze(1)
model = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
bce = nn.BCELoss()
for epoch in range(40):
    opt.zero_grad()
    p = model(X).clamp(0, 1)
    loss = bce(p, y)
    loss.backward()
    opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
