import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(17)


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(6, 32), nn.Linear(32, 32), nn.Linear(32, 1)])

    def forward(self, x):
        for layer in self.layers:
            x = F.relu(layer(x))
        return x


X = torch.randn(256, 6)
y = (X[:, :1] * 1.5 - X[:, 1:2] * X[:, 2:3])
model = Regressor()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(20):
    for i in range(0, 256, 32):
        pred = model(X[i : i + 32])
        loss = F.mse_loss(pred, y[i : i + 32])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
