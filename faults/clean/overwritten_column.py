import torch
import torch.nn as nn

torch.manual_seed(84)
table = torch.randn(160, 6)
answer = (table[:, 0] - table[:, 1] > 0).float()
mean = table.mean(0, keepdim=True)
features = table - mean
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(8):
    for rows in torch.randperm(160).split(32):
        optimizer.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(net(features[rows]), answer[rows])
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
