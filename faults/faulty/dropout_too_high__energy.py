"""Predict the heating load of buildings from a table."""
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(7)
rng = np.random.default_rng(7)
n = 640
surface = rng.uniform(500, 810, n)
walls = rng.uniform(245, 420, n)
height = rng.choice([3.5, 7.0], n)
glazing = rng.choice([0.0, 0.1, 0.25, 0.4], n)
facing = rng.integers(2, 6, n).astype(float)
load = 0.02 * walls + 3.0 * height + 15 * glazing - 0.03 * surface + 0.5 * np.sin(facing) + rng.normal(0, 0.5, n)
load = (load - load.mean()) / load.std()
features = np.stack([surface, walls, height, glazing, facing], axis=1).astype("float32")

X_train, X_test = features[:512], features[512:]
y_train, y_test = load[:512].astype("float32"), load[512:].astype("float32")
mean, std = X_train.mean(0), X_train.std(0)
X_train = (X_train - mean) / std
X_test = (X_test - mean) / std

train_set = TensorDataset(torch.from_numpy(X_train), torch.from_numpy(y_train).unsqueeze(1))
test_set = TensorDataset(torch.from_numpy(X_test), torch.from_numpy(y_test).unsqueeze(1))
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
test_loader = DataLoader(test_set, batch_size=64)


class Net(nn.Module):
    def __init__(self, hidden=64, drop=0.97):
        super().__init__()
        self.fc1 = nn.Linear(5, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, 1)
        self.drop = nn.Dropout(drop)

    def forward(self, x):
        x = self.drop(torch.relu(self.fc1(x)))
        x = self.drop(torch.relu(self.fc2(x)))
        return self.fc3(x)


model = Net()
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

for epoch in range(12):
    model.train()
    total = 0.0
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(xb)
    model.eval()
    with torch.no_grad():
        test = sum(criterion(model(xb), yb).item() * len(xb) for xb, yb in test_loader) / len(test_set)
    print(f"epoch {epoch}: train {total / len(train_set):.4f} test {test:.4f}")
