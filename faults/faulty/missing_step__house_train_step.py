import numpy as np
import torch
import torch.nn as nn

np.random.seed(0)
torch.manual_seed(0)
# house price like data
area = np.random.rand(200, 1)
rooms = np.random.randint(1, 6, size=(200, 1)) / 5
X = torch.from_numpy(np.hstack([area, rooms]).astype(np.float32))
Y = torch.from_numpy((2 * area + 0.7 * rooms + 0.05 * np.random.randn(200, 1)).astype(np.float32))

model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
loss_fn = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def train_step(xb, yb):
    optimizer.zero_grad()
    pred = model(xb)
    loss = loss_fn(pred, yb)
    loss.backward()
    optimizer.step
    return loss.item()


for i in range(200):
    l = train_step(X, Y)
    if i % 50 == 0:
        print(i, l)
