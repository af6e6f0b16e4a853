import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(11)


class IrisNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden1 = nn.Linear(4, 16)
        self.hidden2 = nn.Linear(16, 16)
        self.output = nn.Linear(16, 3)

    def forward(self, x):
        x = F.relu(self.hidden1(x))
        x = F.relu(self.hidden2(x))
        x = self.output(x)
        return x


centres = torch.randn(3, 4) * 2
y = torch.randint(0, 3, (150,))
X = centres[y] + torch.randn(150, 4) * 0.5
model = IrisNet()
opt = torch.optim.Adam(model.parameters(), lr=0.01)
losses = []
for i in range(80):
    y_pred = model.forward(X)
    loss = F.cross_entropy(y_pred, y)
    losses.append(loss.detach().numpy())
    opt.zero_grad()
    loss.backward()
    opt.step()
print(losses[0], losses[-1])
