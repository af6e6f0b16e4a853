import torch
import torch.nn as nn

torch.manual_seed(24)


class MyRNN(nn.Module):
    def __init__(self, n_in, n_h, n_out):
        super().__init__()
        self.n_h = n_h
        self.i2h = nn.Linear(n_in + n_h, n_h)
        self.h2o = nn.Linear(n_h, n_out)

    def forward(self, x):
        h = torch.zeros(x.size(0), self.n_h)
        for t in range(x.size(1)):
            h = torch.tanh(self.i2h(torch.cat([x[:, t], h], 1)))
        return self.h2o(h)


X = torch.randn(200, 6, 2)
y = (X[:, :, 0].sum(1) > 0).long()
rnn = MyRNN(2, 16, 2)
opt = torch.optim.Adam(rnn.parameters(), lr=1e-2)
for epoch in range(15):
    for k in range(0, 200, 40):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(rnn(X[k : k + 40]), y[k : k + 40])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
