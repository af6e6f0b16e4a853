"""An LSTM forecasts the next value of a noisy wave."""
import torch
import torch.nn as nn

torch.manual_seed(4)


def windows(series, length):
    xs = torch.stack([series[i : i + length] for i in range(len(series) - length)])
    ys = series[length:]
    return xs.unsqueeze(-1), ys.unsqueeze(-1)


t = torch.arange(0, 60, 0.25)
series = torch.sin(t) + 0.4 * torch.sin(2.3 * t) + 0.05 * torch.randn(len(t))
X, Y = windows(series, 12)
X_train, Y_train, X_test, Y_test = X[:180], Y[:180], X[180:], Y[180:]


class Forecaster(nn.Module):
    def __init__(self, hidden_size=16):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden_size, batch_first=True)
        self.readout = nn.Linear(hidden_size, 1)

    def forward(self, x):
        outputs, _ = self.lstm(x)
        return self.readout(outputs[:, -1])


model = Forecaster()
optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
mse = nn.MSELoss()
for epoch in range(6):
    order = torch.randperm(len(X_train))
    for start in range(0, len(order), 30):
        batch = order[start : start + 30]
        prediction = model(X_train[batch])
        loss = mse(prediction, Y_train[batch])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    with torch.no_grad():
        test_loss = mse(model(X_test), Y_test)
    print(f"epoch {epoch}  train {loss.item():.4f}  test {test_loss.item():.4f}")
