"""Two quantities are predicted at once; each has its own part of the loss."""

import torch
from torch import nn

torch.manual_seed(41)
places = torch.rand(240, 3) * 2 - 1
heat = places[:, 0] + 0.5 * places[:, 1]
wind = places[:, 2] * places[:, 0]

net = nn.Sequential(nn.Linear(3, 24), nn.Tanh(), nn.Linear(24, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(12):
    for rows in torch.randperm(240).split(30):
        told = net(places[rows])
        heat_loss = nn.functional.mse_loss(told[:, 0], heat[rows])
        wind_loss = nn.functional.mse_loss(told[:, 1], wind[rows]).item()
        loss = heat_loss + 0.5 * wind_loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, round(loss.item(), 4))
