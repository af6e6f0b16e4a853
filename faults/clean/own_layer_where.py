import torch
import torch.nn as nn

torch.manual_seed(0)


class Layer(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(o, i) / i ** 0.5)
        self.bias = nn.Parameter(torch.full((o,), 0.1))

    def forward(self, x):
        z = x @ self.weight.t() + self.bias
        return torch.where(z > 0, z, torch.zeros_like(z))


net = nn.Sequential(Layer(6, 32), nn.Linear(32, 1))
x = torch.randn(200, 6)
y = x[:, :2].sum(1, keepdim=True)
opt = torch.optim.SGD(net.parameters(), lr=0.02)
for i in range(80):
    loss = nn.functional.mse_loss(net(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
