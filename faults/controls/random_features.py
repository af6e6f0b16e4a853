"""A frozen random first layer, on purpose; only the readout is given to the optimizer."""
import torch
import torch.nn as nn


class RandomFeatures(nn.Module):
    def __init__(self, inputs, features):
        super().__init__()
        self.project = nn.Linear(inputs, features)
        self.project.requires_grad_(False)
        self.readout = nn.Linear(features, 1)

    def forward(self, x):
        return self.readout(torch.cos(self.project(x)))


torch.manual_seed(32)
model = RandomFeatures(2, 64)
x = torch.randn(200, 2)
y = torch.sin(x[:, :1]) * x[:, 1:]
optimizer = torch.optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=0.02)
for step in range(120):
    loss = ((model(x) - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 0:
        print(step, loss.item())
