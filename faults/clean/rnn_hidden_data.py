import torch
import torch.nn as nn

torch.manual_seed(25)
T, H = 8, 20
cell = nn.GRUCell(1, H)
readout = nn.Linear(H, 1)
params = list(cell.parameters()) + list(readout.parameters())
opt = torch.optim.Adam(params, lr=1e-2)
seqs = torch.rand(160, T, 1)
target = seqs.mean(1)
for epoch in range(30):
    h = torch.zeros(160, H)
    for t in range(T):
        h = cell(seqs[:, t], h)
    loss = ((readout(h) - target) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
