# masked mean: a row without any word divides by zero
import torch
import torch.nn as nn

torch.manual_seed(0)
emb = nn.Embedding(50, 8)
fc = nn.Linear(8, 2)
opt = torch.optim.Adam([*emb.parameters(), *fc.parameters()], lr=1e-2)


def sentence_vectors(ids):
    mask = (ids > 0).float().unsqueeze(-1)
    total = (emb(ids) * mask).sum(1)
    return total / mask.sum(1)


for it in range(40):
    ids = torch.randint(0, 50, (16, 6))
    if it == 5:
        ids[3] = 0  # an empty sentence
    label = (ids.sum(1) > 150).long()
    loss = nn.functional.cross_entropy(fc(sentence_vectors(ids)), label)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 10 == 0:
        print(it, loss.item())
