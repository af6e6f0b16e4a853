"""Forecast a noisy wave with an LSTM, windows made by hand."""
import torch
import torch.nn as nn


def windows(series, width):
    xs = torch.stack([series[i : i + width] for i in range(len(series) - width)])
    ys = series[width:]
    return xs.unsqueeze(-1), ys


class Forecaster(nn.Module):
    def __init__(self, hidden=20):
        super().__init__()
        self.lstm = nn.LSTM(input_size=1, hidden_size=hidden, num_layers=1)
        self.fc = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.fc(out[:, -1, :]).squeeze(-1)


torch.manual_seed(6)
t = torch.arange(0, 260).float()
series = torch.sin(t / 6) + 0.5 * torch.sin(t / 2.5) + 0.05 * torch.randn(260)
x, y = windows(series, 14)
train_x, train_y, test_x, test_y = x[:200], y[:200], x[200:], y[200:]

net = Forecaster()
loss_fn = nn.MSELoss()
optim = torch.optim.Adam(net.parameters(), lr=0.01)
sched = torch.optim.lr_scheduler.StepLR(optim, step_size=8, gamma=0.5)
for epoch in range(16):
    net.train()
    perm = torch.randperm(len(train_x))
    running = 0.0
    for i in range(0, len(perm), 20):
        idx = perm[i : i + 20]
        optim.zero_grad()
        guess = net(train_x[idx])
        loss = loss_fn(guess, train_y[idx])
        loss.backward()
        optim.step()
        running += loss.item()
    sched.step()
    if epoch % 4 == 3:
        net.eval()
        with torch.no_grad():
            test = loss_fn(net(test_x), test_y)
        print(epoch, running / 10, test.item())
print("at the end", running / 10)
