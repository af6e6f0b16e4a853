import torch
import torch.nn as nn

torch.manual_seed(29)


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 8))

    def forward(self, a, b):
        za, zb = self.encoder(a), self.encoder(b)
        return (za - zb).pow(2).sum(1)


net = Siamese()
head = nn.Linear(1, 1)
opt = torch.optim.Adam([*net.parameters(), *head.parameters()], lr=5e-3)
a = torch.randn(128, 10)
same = torch.randint(0, 2, (128,)).float()
b = torch.where(same[:, None] > 0, a + 0.2 * torch.randn(128, 10), torch.randn(128, 10))
for i in range(40):
    d = net(a, b)
    loss = nn.functional.binary_cross_entropy_with_logits(head(d[:, None]).squeeze(1), same)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
