"""One sample a step, whose target may be far out: losses jump from the data, not from the steps."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(3)
x = torch.randn(400, 10)
y = torch.distributions.StudentT(1.5).sample((400, 1))
net = nn.Linear(10, 1)
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for i in range(400):
    loss = F.l1_loss(net(x[i : i + 1]), y[i : i + 1])
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
