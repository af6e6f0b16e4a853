import torch
import torch.nn as nn

torch.manual_seed(6)


class MIL(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(6, 16), nn.Tanh())
        self.a = nn.Linear(16, 1)
        self.c = nn.Linear(16, 1)

    def forward(self, bag):
        h = self.f(bag)
        w = torch.softmax(self.a(h), dim=0)
        return self.c((w * h).sum(0, keepdim=True))


bags = [torch.randn(int(n), 6) for n in torch.randint(4, 9, (50,))]
labels = [float(b[:, 0].max() > 1.2) for b in bags]
m = MIL()
opt = torch.optim.Adam(m.parameters(), lr=5e-3)
for e in range(4):
    total = 0
    for i in torch.randperm(50).tolist():
        opt.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(m(bags[i]), torch.tensor([[labels[i]]]))
        loss.backward()
        opt.step()
        total += loss.item()
    print(e, total / 50)
