import torch
import torch.nn as nn


class DeepNet(nn.Module):
    def __init__(self, depth=8, width=32):
        super().__init__()
        layers = [nn.Linear(12, width), nn.ReLU()]
        for _ in range(depth - 2):
            layers += [nn.Linear(width, width), nn.Sigmoid()]
        layers.append(nn.Linear(width, 3))
        self.body = nn.Sequential(*layers)
        self.apply(self.init)

    @staticmethod
    def init(m):
        if isinstance(m, nn.Linear):
            nn.init.xavier_uniform_(m.weight)
            nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.body(x)


torch.manual_seed(4)
means = 2 * torch.randn(3, 12)
labels = torch.randint(0, 3, (480,))
features = means[labels] + torch.randn(480, 12)
model = DeepNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
criterion = nn.CrossEntropyLoss()
for step in range(150):
    pick = torch.randint(0, 480, (48,))
    out = model(features[pick])
    loss = criterion(out, labels[pick])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 0:
        print(f"{step:4d} {loss.item():.4f}")
