# the losses of the time steps are put into a new tensor
import torch
import torch.nn as nn

torch.manual_seed(0)
cell = nn.GRUCell(2, 12)
read = nn.Linear(12, 1)
opt = torch.optim.Adam([*cell.parameters(), *read.parameters()], lr=0.01)
for it in range(40):
    seq = torch.randn(16, 8, 2)
    target = seq.sum(2).cumsum(1)
    h = torch.zeros(16, 12)
    losses = []
    for t in range(8):
        h = cell(seq[:, t], h)
        losses.append(((read(h)[:, 0] - target[:, t]) ** 2).mean())
    loss = torch.stack(losses).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 10 == 0:
        print(it, loss.item())
