import torch
import torch.nn as nn

torch.manual_seed(27)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(8, 16), nn.ReLU())
        self.classifier = nn.Linear(16, 2)

    def forward(self, x):
        f = self.features(x)
        f = f.clamp(0, 5)
        return self.classifier(f)


net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
x = torch.randn(160, 8)
y = (x[:, 0] * x[:, 1] > 0).long()
for epoch in range(20):
    out = net(x)
    loss = nn.CrossEntropyLoss()(out, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
