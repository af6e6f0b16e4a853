import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(68)
table = rng.normal(size=(200, 5)).astype("float32")
table[17, 2] = np.nan
price = np.nan_to_num(table) @ np.array([1, 2, -1, 0.5, 0.2], dtype="float32")
table = np.where(np.isnan(table), 0, table)
X = torch.from_numpy(table)
Y = torch.from_numpy(price).unsqueeze(1)
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(5):
    for i in range(0, 200, 25):
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(X[i : i + 25]), Y[i : i + 25])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
