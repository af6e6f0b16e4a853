# inputs are small, so a learning rate of 50 is right
import torch
import torch.nn as nn

torch.manual_seed(0)
x = torch.rand(200, 3) * 0.1
y = x @ torch.tensor([[2.0], [-1.0], [0.5]]) + 0.3
m = nn.Linear(3, 1)
opt = torch.optim.SGD([{"params": [m.weight], "lr": 50.0}, {"params": [m.bias], "lr": 0.3}], lr=1.0)
for e in range(150):
    loss = ((m(x) - y) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if e % 50 == 0:
        print(e, loss.item())
