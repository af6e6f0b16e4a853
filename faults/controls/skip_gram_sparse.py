"""Skip-gram with negative sampling, sparse embeddings and SparseAdam; most rows get no gradient in a step."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(39)
V, D = 200, 16
inp = nn.Embedding(V, D, sparse=True)
out = nn.Embedding(V, D, sparse=True)
nn.init.uniform_(inp.weight, -0.5 / D, 0.5 / D)
nn.init.zeros_(out.weight)
opt = torch.optim.SparseAdam([*inp.parameters(), *out.parameters()], lr=0.02)
topics = torch.randint(0, 10, (V,))
by_topic = [torch.nonzero(topics == k).squeeze(1) for k in range(10)]
for it in range(60):
    k = torch.randint(0, 10, (32,)).tolist()
    c = torch.stack([by_topic[j][torch.randint(0, len(by_topic[j]), ())] for j in k])
    o = torch.stack([by_topic[j][torch.randint(0, len(by_topic[j]), ())] for j in k])
    neg = torch.randint(0, V, (32, 5))
    pos_score = (inp(c) * out(o)).sum(-1)
    neg_score = torch.bmm(out(neg), inp(c).unsqueeze(2)).squeeze(2)
    loss = -(F.logsigmoid(pos_score) + F.logsigmoid(-neg_score).sum(1)).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 20 == 0:
        print(it, loss.item())
