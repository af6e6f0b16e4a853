"""A recurrence over the days of a market: each day's answer knows the days before, of one leading share."""
import torch
from torch import nn

torch.manual_seed(10)
DAYS, SHARES = 24, 5


class Index(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.days = nn.LSTM(2, hidden)
        self.out = nn.Linear(hidden, 1)

    def forward(self, moves):
        states, _ = self.days(moves)
        return self.out(states.mean(1)).squeeze(-1)


net = Index()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(120):
    moves = torch.randn(DAYS, SHARES, 2)
    wanted = moves[:, :, 0].mean(1) + 0.5 * torch.roll(moves[:, :, 1].mean(1), 1)
    wanted[0] = moves[0, :, 0].mean()
    loss = nn.functional.mse_loss(net(moves), wanted)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 0:
        print(step, loss.item())
