"""Irises told apart by one hidden layer: a data set class, dropout, a schedule, clipping, a confusion table."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_iris
from torch.utils.data import DataLoader, Dataset, random_split

torch.manual_seed(11)


class Irises(Dataset):
    def __init__(self):
        features, species = load_iris(return_X_y=True)
        self.features = torch.tensor(features, dtype=torch.float32)
        self.features = (self.features - self.features.mean(dim=0)) / self.features.std(dim=0)
        self.species = torch.tensor(species)

    def __len__(self):
        return len(self.species)

    def __getitem__(self, index):
        return self.features[index], self.species[index]


class Classifier(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.hidden = nn.Linear(4, hidden)
        self.drop = nn.Dropout(0.1)
        self.out = nn.Linear(hidden, 3)
        nn.init.xavier_uniform_(self.hidden.weight)
        nn.init.zeros_(self.hidden.bias)

    def forward(self, x):
        return self.out(self.drop(torch.tanh(self.hidden(x))))


train_set, test_set = random_split(Irises(), [105, 45])
loader = DataLoader(train_set, batch_size=15, shuffle=True)
model = Classifier(16)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=25)
print(model)

for epoch in range(1, 26):
    model.train()
    losses = []
    for features, species in loader:
        loss = F.cross_entropy(model(features), species, label_smoothing=0.05)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.detach())
    scheduler.step()
    if epoch % 5 == 0:
        mean = torch.stack(losses).mean()
        print(f"epoch {epoch} loss {mean:.4f} last norm {norm:.4f} lr {scheduler.get_last_lr()[0]:.5f}")

model.eval()
table = torch.zeros(3, 3, dtype=torch.long)
with torch.no_grad():
    for features, species in DataLoader(test_set, batch_size=len(test_set)):
        chances = model(features).softmax(dim=1)
        for true, said in zip(species, chances.argmax(dim=1)):
            table[true, said] += 1
print("said by species:")
print(table)
print(f"right: {table.diagonal().sum().item()} of {table.sum().item()}, surest {chances.max():.3f}")
print({name: tuple(value.shape) for name, value in model.state_dict().items()})
