import torch
import torch.nn as nn

torch.manual_seed(18)


class Binary(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 1), nn.Sigmoid())

    def forward(self, x):
        return self.net(x)


x = torch.randn(300, 6)
y = (x[:, 0] * x[:, 1] > 0).float()
model = Binary()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(60):
    opt.zero_grad()
    p = torch.sigmoid(model(x)).squeeze()
    loss = nn.functional.binary_cross_entropy(p, y)
    loss.backward()
    opt.step()
print(loss.item())
