"""Two quantities are predicted at once; each part of the loss counts alike, however large it is."""

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
        wind_loss = nn.functional.mse_loss(told[:, 1], wind[rows])
        loss = heat_loss / heat_loss.item() + wind_loss / wind_loss.detach()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, round(loss.item(), 4))
