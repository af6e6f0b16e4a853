import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(4)
feats = torch.randn(400, 8)
labels = (feats[:, :4].sum(1) > feats[:, 4:].sum(1)).float()
loader = DataLoader(TensorDataset(feats, labels), batch_size=40, shuffle=True)


def train_one_epoch(model, loader, criterion, optimizer):
    running = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        logits = model(xb).squeeze(-1)
        loss = criterion(logits, yb)
        loss.backward()
        optimizer.step()
        running += loss.item() * len(xb)
    return running / len(loader.dataset)


model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for e in range(6):
    print(e, train_one_epoch(model, loader, nn.BCEWithLogitsLoss(), optimizer))
