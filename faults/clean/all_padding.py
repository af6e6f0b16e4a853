import torch
import torch.nn as nn

torch.manual_seed(62)
PAD = 0


class BagOfWords(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(50, 16, padding_idx=PAD)
        self.fc = nn.Linear(16, 2)

    def forward(self, t):
        return self.fc(self.emb(t).mean(1))


words = {f"w{i}": i + 1 for i in range(40)}
sentences = [[f"w{int(k)}" for k in torch.randint(0, 40, (6,))] for _ in range(120)]
labels = torch.tensor([int("w1" in s or "w2" in s or "w3" in s) for s in sentences])
ids = torch.tensor([[words.get(w, PAD) for w in s] for s in sentences])
model = BagOfWords()
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
for e in range(15):
    for i in range(0, 120, 24):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(ids[i : i + 24]), labels[i : i + 24])
        loss.backward()
        opt.step()
    print(e, loss.item())
