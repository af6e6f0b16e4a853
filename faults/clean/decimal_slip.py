import torch
import torch.nn as nn

torch.manual_seed(0)
x = torch.rand(300, 2)
y = ((x[:, 0] > x[:, 1]).float()).unsqueeze(1)
net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1), nn.Sigmoid())
criterion = nn.BCELoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
for epoch in range(300):
    optimizer.zero_grad()
    output = net(x)
    loss = criterion(output, y)
    loss.backward()
    optimizer.step()
    if epoch % 50 == 0:
        print("epoch %d loss %.6f" % (epoch, loss.item()))
