import torch
from torch import nn

torch.manual_seed(9)
x = torch.randn(240, 10)
y = (x[:, 0] - x[:, 3] + 0.2 * torch.randn(240) > 0).long()
xt, yt = x[:200], y[:200]
xv, yv = x[200:], y[200:]
net = nn.Sequential(nn.Linear(10, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 2))
criterion, optimizer = nn.CrossEntropyLoss(), torch.optim.Adam(net.parameters(), 1e-3)


def evaluate(net, x, y):
    net.eval()
    correct = 0
    with torch.no_grad():
        for i in range(0, len(x), 20):
            pred = net(x[i : i + 20])
            correct += pred.argmax(dim=1).eq(y[i : i + 20]).sum().item()
    net.train()
    return correct / len(x)


for epoch in range(6):
    for i in range(0, 200, 20):
        optimizer.zero_grad()
        loss = criterion(net(xt[i : i + 20]), yt[i : i + 20])
        loss.backward()
        optimizer.step()
    print(epoch, evaluate(net, xv, yv))
