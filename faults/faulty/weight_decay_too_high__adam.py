import torch
import torch.nn as nn

torch.manual_seed(50)
x = torch.randn(300, 8)
y = x[:, :4].argmax(1)
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
opt = torch.optim.Adam(net.parameters(), lr=1e-2, weight_decay=5.0)
for e in range(20):
    for i in range(0, 300, 50):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x[i : i + 50]), y[i : i + 50])
        loss.backward()
        opt.step()
    print(e, loss.item())
