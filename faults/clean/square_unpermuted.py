import torch
import torch.nn as nn

torch.manual_seed(39)
V = T = 7
emb = nn.Embedding(V, 32)
rnn = nn.LSTM(32, 32, batch_first=True)
fc = nn.Linear(32, V)
params = [p for m in (emb, rnn, fc) for p in m.parameters()]
opt = torch.optim.Adam(params, lr=1e-2)
start = torch.randint(0, V, (48, 1))
seq = (start + 2 * torch.arange(T + 1)) % V
for e in range(25):
    h, _ = rnn(emb(seq[:, :-1]))
    scores = fc(h)
    loss = nn.functional.cross_entropy(scores.transpose(1, 2), seq[:, 1:])
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
