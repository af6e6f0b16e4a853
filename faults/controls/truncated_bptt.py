"""The hidden state is carried from chunk to chunk without its history."""
import torch
import torch.nn as nn

torch.manual_seed(46)
series = torch.sin(torch.arange(0, 120, 0.3)).reshape(1, -1, 1)
rnn, read = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 1)
optimizer = torch.optim.Adam([*rnn.parameters(), *read.parameters()], lr=0.01)
for epoch in range(4):
    h = torch.zeros(1, 1, 16)
    for k in range(0, 380, 20):
        h = h.detach()
        out, h = rnn(series[:, k : k + 20], h)
        loss = nn.functional.mse_loss(read(out), series[:, k + 1 : k + 21])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
