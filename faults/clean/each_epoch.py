import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(46)


def train(model, loader, epochs):
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(epochs):
        for x, y in loader:
            opt.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            opt.step()
        print(epoch, loss.item())


x = torch.randn(200, 5)
y = x.pow(2).sum(1, keepdim=True)
train(nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1)), DataLoader(TensorDataset(x, y), 20, shuffle=True), 8)
