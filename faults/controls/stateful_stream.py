import torch
from torch import nn
torch.manual_seed(0)
rnn = nn.GRUCell(1, 16)
out = nn.Linear(16, 1)
opt = torch.optim.Adam([*rnn.parameters(), *out.parameters()], lr=1e-2)
h = torch.zeros(4, 16)
phase = torch.rand(4, 1) * 6
for step in range(100):
    loss = 0
    for k in range(8):
        now = torch.sin(phase + 0.3 * (8 * step + k))
        nxt = torch.sin(phase + 0.3 * (8 * step + k + 1))
        h = rnn(now, h)
        loss = loss + nn.functional.mse_loss(out(h), nxt)
    opt.zero_grad()
    loss.backward()
    opt.step()
    h = h.detach()
print(loss.item())
