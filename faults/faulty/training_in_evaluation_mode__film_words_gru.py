import torch
from torch import nn

torch.manual_seed(0)


class TextClassifier(nn.Module):
    def __init__(self, vocab_size, emb, hid, n_class):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, emb, padding_idx=0)
        self.gru = nn.GRU(emb, hid, batch_first=True)
        self.dropout = nn.Dropout(0.4)
        self.fc = nn.Linear(hid, n_class)

    def forward(self, ids):
        e = self.dropout(self.embedding(ids))
        _, h = self.gru(e)
        return self.fc(self.dropout(h[-1]))


good = "great good nice love best superb happy".split()
bad = "bad awful poor hate worst terrible sad".split()
neutral = "the film was a movie and it is".split()
vocab = {w: i + 1 for i, w in enumerate(good + bad + neutral)}


def sample(n):
    ids, lab = [], []
    for _ in range(n):
        l = torch.randint(0, 2, (1,)).item()
        words = [neutral[torch.randint(0, len(neutral), (1,)).item()] for _ in range(6)]
        src = good if l else bad
        words[torch.randint(0, 6, (1,)).item()] = src[torch.randint(0, 7, (1,)).item()]
        ids.append([vocab[w] for w in words])
        lab.append(l)
    return torch.tensor(ids), torch.tensor(lab)


model = TextClassifier(len(vocab) + 1, 16, 24, 2)
model.eval()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
criterion = nn.CrossEntropyLoss()
for i in range(40):
    ids, lab = sample(32)
    optimizer.zero_grad()
    out = model(ids)
    loss = criterion(out, lab)
    loss.backward()
    optimizer.step()
    if i % 10 == 0:
        print("iter", i, "loss", round(loss.item(), 4))
