import torch
import torch.nn as nn

torch.manual_seed(0)
x = torch.linspace(-3, 3, 120).unsqueeze(1)
y = torch.sin(x) + 0.1 * torch.randn_like(x)
x_test = torch.linspace(-3, 3, 31).unsqueeze(1)
y_test = torch.sin(x_test)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(1, 64)
        self.drop = nn.Dropout(p=0.2)
        self.fc2 = nn.Linear(64, 64)
        self.fc3 = nn.Linear(64, 1)

    def forward(self, x):
        x = torch.tanh(self.fc1(x))
        x = self.drop(x)
        x = torch.tanh(self.fc2(x))
        return self.fc3(x)


net = Net()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for e in range(200):
    opt.zero_grad()
    loss = ((net(x) - y) ** 2).mean()
    loss.backward()
    opt.step()
print("training finished, loss =", loss.item())
net.eval()
pred = net(x_test).detach()
print("test MSE =", ((pred - y_test) ** 2).mean().item())
