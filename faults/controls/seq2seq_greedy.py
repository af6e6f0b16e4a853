import torch
import torch.nn as nn

torch.manual_seed(21)
emb, enc, dec, out = nn.Embedding(10, 16), nn.GRU(16, 24, batch_first=True), nn.GRUCell(16, 24), nn.Linear(24, 10)
params = [p for m in (emb, enc, dec, out) for p in m.parameters()]
opt = torch.optim.Adam(params, lr=5e-3)
src = torch.randint(1, 10, (64, 5))
tgt = src.flip(1)
for e in range(20):
    _, h = enc(emb(src))
    h = h[0]
    tok = torch.zeros(64, dtype=torch.long)
    loss = 0.0
    for t in range(5):
        h = dec(emb(tok), h)
        scores = out(h)
        loss = loss + nn.functional.cross_entropy(scores, tgt[:, t])
        top = scores.topk(1)[1]
        tok = tgt[:, t] if e % 2 else top.squeeze(1).detach()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(e, loss.item() / 5)
