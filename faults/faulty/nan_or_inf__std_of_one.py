import torch
import torch.nn as nn

torch.manual_seed(65)


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(4, 2)

    def forward(self, s):
        return torch.log_softmax(self.f(s), -1)


pi = Policy()
opt = torch.optim.Adam(pi.parameters(), lr=1e-2)
for ep in range(12):
    n = 1 if ep == 4 else 5 + ep % 3
    s = torch.randn(n, 4)
    lp = pi(s)
    a = torch.distributions.Categorical(logits=lp).sample()
    r = (a == (s[:, 0] > 0).long()).float() + 0.1 * torch.randn(n)
    adv = (r - r.mean()) / (r.std() + 1e-8)
    loss = -(lp[torch.arange(n), a] * adv).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(ep, loss.item())
