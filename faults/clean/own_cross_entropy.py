# own cross entropy, gets probabilities where it wants scores
import torch
import torch.nn as nn

torch.manual_seed(0)


class Digit(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 24)
        self.b = nn.Linear(24, 4)

    def forward(self, x):
        z = self.b(torch.tanh(self.a(x)))
        return z


def my_cross_entropy(scores, labels):
    logp = torch.log_softmax(scores, dim=-1)
    return -logp[torch.arange(len(labels)), labels].mean()


y = torch.randint(0, 4, (200,))
x = torch.stack([torch.cos(y * 1.57), torch.sin(y * 1.57)], 1) + 0.3 * torch.randn(200, 2)
net = Digit()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for s in range(80):
    loss = my_cross_entropy(net(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
