import torch
import torch.nn as nn

torch.manual_seed(2)
x = torch.linspace(-3, 3, 120).unsqueeze(1)
y = torch.sin(x)
net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
criterion = nn.MSELoss()
for epoch in range(100):
    opt.zero_grad()
    out = net(x)
    loss = criterion(out, y)
    loss.backward()
    opt.step()
    if epoch % 20 == 0:
        print("Epoch", epoch, "loss", loss.item())
