import torch
import torch.nn as nn

torch.manual_seed(41)


class Clf(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(16, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
        self.enc = nn.TransformerEncoder(layer, 2)
        self.fc = nn.Linear(32, 2)

    def forward(self, t):
        return self.fc(self.enc(self.emb(t)).mean(1))


tok = torch.randint(0, 16, (256, 8))
lab = ((tok == 3).sum(1) > 0).long()
m = Clf()
opt = torch.optim.Adam(m.parameters(), lr=1.0)
for e in range(6):
    for i in range(0, 256, 32):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(m(tok[i : i + 32]), lab[i : i + 32])
        loss.backward()
        opt.step()
    print(e, loss.item())
