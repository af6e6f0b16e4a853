"""A recurrent network by hand: did the sequence go up more than down?"""
import torch
from torch import nn


class Recurrent(nn.Module):
    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.hidden = hidden
        self.input_to_hidden = nn.Linear(inputs, hidden)
        self.hidden_to_hidden = nn.Linear(hidden, hidden, bias=False)
        self.hidden_to_output = nn.Linear(hidden, outputs)
        nn.init.orthogonal_(self.hidden_to_hidden.weight)

    def forward(self, x):
        state = torch.zeros(x.size(1), self.hidden)
        for x_t in x:
            state = torch.tanh(self.input_to_hidden(x_t) + self.hidden_to_hidden(state))
            state *= 0.99
        return self.hidden_to_output(state)


def draw(n, length=20):
    x = torch.randn(length, n, 1)
    return x, (x.sum(0).squeeze(1) > 0).float()


torch.manual_seed(22)
rnn = Recurrent(1, 16, 1)
optimizer = torch.optim.Adam(rnn.parameters(), lr=5e-3)
bce = nn.BCEWithLogitsLoss()
for step in range(100):
    x, y = draw(32)
    logit = rnn(x).squeeze(1)
    loss = bce(logit, y)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(rnn.parameters(), 5.0)
    optimizer.step()
    if step % 20 == 0:
        print(step, f"{loss.item():.4f}")
