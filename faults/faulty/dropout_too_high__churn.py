"""Tabular model with categorical embeddings (entity embeddings, fastai style)."""
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(31)
rows = 768
plan = torch.randint(0, 6, (rows,))
region = torch.randint(0, 9, (rows,))
months = torch.randint(1, 60, (rows,)).float()
bill = torch.rand(rows) * 90 + 10
plan_risk = torch.tensor([1.2, -0.8, 0.4, -1.5, 0.9, -0.2])
region_risk = torch.linspace(-1, 1, 9)[torch.randperm(9)]
score = plan_risk[plan] + region_risk[region] - (months - 30) / 20 + (bill - 55) / 30
churned = (score + 0.3 * torch.randn(rows) > 0).float()
cats = torch.stack([plan, region], dim=1)
conts = torch.stack([(months - months.mean()) / months.std(), (bill - bill.mean()) / bill.std()], dim=1)


class TabularModel(nn.Module):
    def __init__(self, cardinalities, n_cont, layers=(48, 24), p=0.95):
        super().__init__()
        self.embeds = nn.ModuleList([nn.Embedding(c, min(6, (c + 1) // 2)) for c in cardinalities])
        n_emb = sum(e.embedding_dim for e in self.embeds)
        self.bn_cont = nn.BatchNorm1d(n_cont)
        blocks, size = [], n_emb + n_cont
        for width in layers:
            blocks += [nn.Linear(size, width), nn.ReLU(), nn.BatchNorm1d(width), nn.Dropout(p)]
            size = width
        blocks.append(nn.Linear(size, 1))
        self.layers = nn.Sequential(*blocks)

    def forward(self, x_cat, x_cont):
        x = torch.cat([e(x_cat[:, i]) for i, e in enumerate(self.embeds)], dim=1)
        x = torch.cat([x, self.bn_cont(x_cont)], dim=1)
        return self.layers(x).squeeze(1)


train_ds, valid_ds = random_split(TensorDataset(cats, conts, churned), [640, 128])
train_dl = DataLoader(train_ds, batch_size=64, shuffle=True)
valid_dl = DataLoader(valid_ds, batch_size=64)
model = TabularModel([6, 9], 2)
loss_func = nn.BCEWithLogitsLoss()
opt = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-2)


def train_epoch():
    model.train()
    for x_cat, x_cont, y in train_dl:
        loss = loss_func(model(x_cat, x_cont), y)
        loss.backward()
        opt.step()
        opt.zero_grad()
    return loss.item()


def validate():
    model.eval()
    right = 0
    with torch.no_grad():
        for x_cat, x_cont, y in valid_dl:
            right += ((model(x_cat, x_cont) > 0) == (y > 0.5)).sum().item()
    return right / len(valid_ds)


for epoch in range(10):
    last = train_epoch()
    print(epoch, f"{last:.3f}", f"{validate():.3f}")
