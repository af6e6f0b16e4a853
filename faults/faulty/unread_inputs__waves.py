import torch
from torch import nn
torch.manual_seed(0)
t = torch.arange(600) * 0.1
s = torch.sin(t) + 0.3 * torch.sin(3 * t)
x = torch.stack([s[i:i + 20] for i in range(560)]).unsqueeze(-1)
y = torch.stack([s[i + 20] for i in range(560)]).unsqueeze(-1)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 16, batch_first=True)
        self.fc = nn.Linear(16, 1)
    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, 0])
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(4):
    for a in range(0, 560, 40):   # in time order: no shuffling of a series here
        loss = nn.functional.mse_loss(net(x[a:a + 40]), y[a:a + 40])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(loss.item())
