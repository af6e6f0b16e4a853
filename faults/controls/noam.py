# warm-up over 40 % of a short run, then decay (Noam)
import torch
from torch import nn
torch.manual_seed(2)
V, T, W = 12, 10, 32
class Reverser(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(V, W); self.pos = nn.Parameter(torch.randn(T, W) * 0.1)
        self.enc = nn.TransformerEncoder(nn.TransformerEncoderLayer(W, 4, 64, dropout=0.0, batch_first=True), 1)
        self.out = nn.Linear(W, V)
    def forward(self, x):
        return self.out(self.enc(self.emb(x) + self.pos))
m = Reverser()
opt = torch.optim.Adam(m.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-9)
warm = 60
sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: 0.6 * W ** -0.5 * min((s + 1) ** -0.5, (s + 1) * warm ** -1.5))
for step in range(150):
    x = torch.randint(0, V, (32, T))
    loss = nn.functional.cross_entropy(m(x).flatten(0, 1), x.flip(1).flatten())
    opt.zero_grad(); loss.backward(); opt.step(); sched.step()
    if step % 30 == 0:
        print(step, loss.item(), sched.get_last_lr())
