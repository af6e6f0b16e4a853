import torch
from torch import nn

torch.manual_seed(35)
x = torch.linspace(-1, 1, 60).reshape(-1, 1)
y = x**3 - 0.5 * x
model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=10, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    return loss


for i in range(12):
    loss = optimizer.step(closure)
    if i % 4 == 0:
        print(i, loss.item())
