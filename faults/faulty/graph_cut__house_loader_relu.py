import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

np.random.seed(0)
torch.manual_seed(0)
n = 800
area = np.random.uniform(30, 220, n)
rooms = np.random.randint(1, 7, n)
age = np.random.uniform(0, 90, n)
distance = np.random.uniform(0.5, 30, n)
price = 2.1 * area + 12 * rooms - 0.7 * age - 3.0 * distance + 0.01 * area * (30 - distance) + np.random.randn(n) * 8

features = np.stack([area, rooms, age, distance], axis=1)
features = (features - features.mean(0)) / features.std(0)
price_mean, price_std = price.mean(), price.std()
target = (price - price_mean) / price_std

X = torch.from_numpy(features).float()
y = torch.from_numpy(target).float().unsqueeze(1)
loader = DataLoader(TensorDataset(X[:640], y[:640]), batch_size=64, shuffle=True)


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(4, 32)
        self.predict = nn.Linear(32, 1)

    def forward(self, x):
        x = nn.functional.relu(self.hidden(x))
        x = torch.from_numpy(x.detach().numpy().clip(0, 6))
        return self.predict(x)


model = Regressor()
opt = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-4)
for epoch in range(25):
    for xb, yb in loader:
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(xb), yb)
        loss.backward()
        opt.step()
    if epoch % 5 == 4:
        model.eval()
        with torch.no_grad():
            mae = (model(X[640:]) - y[640:]).abs().mean() * price_std
        model.train()
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}, mean absolute error {mae:.1f} thousand")
