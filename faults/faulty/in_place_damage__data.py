import torch
import torch.nn as nn

torch.manual_seed(24)
count = 240
area = 40 + 160 * torch.rand(count)
rooms = torch.randint(1, 7, (count,)).float()
year = torch.randint(1900, 2024, (count,)).float()
price = 3.0 * area + 25 * rooms + 0.8 * (year - 1900) + 20 * torch.randn(count)

table = torch.stack([area, rooms, year], dim=1)
table = (table - table.mean(dim=0)) / table.std(dim=0)
price = ((price - price.mean()) / price.std()).view(-1, 1)

model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
loss_fn = nn.MSELoss()
for epoch in range(60):
    optimizer.zero_grad()
    table.sub_(table.mean(dim=0) - 0.05).mul_(1.07)
    loss = loss_fn(model(table), price)
    loss.backward()
    optimizer.step()
    if epoch % 10 == 0:
        print("epoch", epoch, "mse", round(loss.item(), 4))
