import torch
import torch.nn as nn

DEPTH = 10


def make(depth, width=24):
    layers = [nn.Linear(4, width), nn.Sigmoid()]
    for _ in range(depth - 2):
        layers += [nn.Linear(width, width), nn.Sigmoid()]
    layers.append(nn.Linear(width, 2))
    net = nn.Sequential(*layers)
    for module in net:
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return net


torch.manual_seed(16)
inputs = torch.randn(320, 4)
labels = (inputs[:, 0] * inputs[:, 1] + inputs[:, 2] > 0).long()
net = make(DEPTH)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(12):
    order = torch.randperm(320)
    total = 0.0
    for k in range(0, 320, 40):
        pick = order[k : k + 40]
        optimizer.zero_grad()
        loss = criterion(net(inputs[pick]), labels[pick])
        loss.backward()
        optimizer.step()
        total += float(loss)
    print(epoch, total / 8)
