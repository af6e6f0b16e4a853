import torch
import torch.nn as nn

torch.manual_seed(38)
V, B, T = 8, 32, 6


class LM(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Embedding(V, 24)
        self.r = nn.GRU(24, 24, batch_first=True)
        self.o = nn.Linear(24, V)

    def forward(self, t):
        return self.o(self.r(self.e(t))[0])


start = torch.randint(0, V, (B, 1))
seq = (start + torch.arange(T + 1)) % V
x, y = seq[:, :-1], seq[:, 1:]
m = LM()
opt = torch.optim.Adam(m.parameters(), lr=1e-2)
ce = nn.CrossEntropyLoss()
for e in range(25):
    logits = m(x)
    loss = ce(logits.view(B, V, T), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
