import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer

rng = np.random.default_rng(0)
torch.manual_seed(0)
raw = load_breast_cancer()
order = rng.permutation(len(raw.data))
X, y = raw.data[order], raw.target[order]
n_train = 450
mean, std = X[:n_train].mean(axis=0), X[:n_train].std(axis=0)
X_train = (X[:n_train] - mean) / std
X_val = (X[n_train:] - mean) / std
X_train = torch.FloatTensor(X_train)
X_val = torch.FloatTensor(X_val)
y_train = torch.FloatTensor(y[:n_train]).unsqueeze(1)
y_val = torch.FloatTensor(y[n_train:]).unsqueeze(1)

net = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1))
criterion = nn.BCEWithLogitsLoss()
optim = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

batch_size = 50
for epoch in range(15):
    for start in range(0, n_train, batch_size):
        xb = X_train[start:start + batch_size]
        yb = y_train[start:start + batch_size]
        optim.zero_grad()
        out = net(xb)
        loss = criterion(out, yb)
        loss.backward()
        optim.step()
    with torch.no_grad():
        val_out = net(X_val)
        val_loss = criterion(val_out, y_val)
        acc = ((val_out > 0).float() == y_val).float().mean()
    print(f"Epoch {epoch + 1:2d} | loss {loss.item():.4f} | val {val_loss.item():.4f} | acc {acc.item():.3f}")
