"""Which customers leave? Labels made from a share."""
import torch
from torch import nn

torch.manual_seed(19)
customers = torch.randn(600, 6)
share_lost = torch.sigmoid(customers @ torch.randn(6))
labels = (share_lost > 50).float()


class Scorer(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        return self.out(self.body(x)).squeeze(1)


model = Scorer()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(8):
    hits = 0
    for rows in torch.randperm(len(customers)).split(40):
        logits = model(customers[rows])
        loss = criterion(logits, labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        hits += ((logits > 0) == (labels[rows] > 0.5)).sum().item()
    print(epoch, loss.item(), hits / len(customers))
