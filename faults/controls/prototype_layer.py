import torch
import torch.nn as nn

torch.manual_seed(0)


class Clf(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(16, 32)
        self.encoder_layer = nn.TransformerEncoderLayer(d_model=32, nhead=4, dim_feedforward=64, batch_first=True)
        self.encoder = nn.TransformerEncoder(self.encoder_layer, num_layers=2)
        self.fc = nn.Linear(32, 2)

    def forward(self, t):
        return self.fc(self.encoder(self.emb(t)).mean(1))


tok = torch.randint(0, 16, (192, 8))
lab = ((tok == 3).sum(1) > 0).long()
m = Clf()
opt = torch.optim.Adam(m.parameters(), lr=2e-3)
for e in range(4):
    m.train()
    for i in range(0, 192, 32):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(m(tok[i : i + 32]), lab[i : i + 32])
        loss.backward()
        opt.step()
    print(e, loss.item())
