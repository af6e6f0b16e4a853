# Weather from a few sensors: one trunk, a head for the temperature and a head for rain
import torch
from torch import nn

torch.manual_seed(11)
sensors = torch.randn(320, 6)
warmth = sensors[:, :2].sum(dim=1, keepdim=True) + 0.1 * torch.randn(320, 1)
rain = (sensors[:, 2:3] * sensors[:, 3:4] > 0).float()

trunk = nn.Sequential(nn.Linear(6, 32), nn.Tanh())
warmth_head = nn.Linear(32, 1)
rain_head = nn.Linear(32, 1)
parameters = [*trunk.parameters(), *warmth_head.parameters(), *rain_head.parameters()]
optimizer = torch.optim.Adam(parameters, lr=0.01)
for epoch in range(15):
    for rows in torch.randperm(320).split(40):
        features = trunk(sensors[rows])
        warmth_loss = nn.functional.mse_loss(warmth_head(features), warmth[rows])
        rain_loss = nn.functional.binary_cross_entropy_with_logits(rain_head(features), rain[rows])
        optimizer.zero_grad()
        (warmth_loss + rain_loss).backward()
        optimizer.step()
    print(epoch, round(warmth_loss.item(), 3), round(rain_loss.item(), 3))
