class tqdm(list):
    def __init__(self, items, disable=False):
        super().__init__(items)

    def set_description(self, text):
        pass


import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_wine

torch.manual_seed(0)
wine = load_wine()
X = torch.FloatTensor(wine.data)
X = (X - X.mean(0)) / X.std(0)
y = torch.LongTensor(wine.target)


class WineModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(13, 32)
        self.l2 = nn.Linear(32, 3)

    def forward(self, x):
        return self.l2(F.relu(self.l1(x)))


model = WineModel()
opt = torch.optim.Adam(model.parameters(), lr=0.01)
pbar = tqdm(range(40), disable=True)
for epoch in pbar:
    opt.zero_grad()
    logits = model(X)
    loss = F.cross_entropy(logits, y)
    loss.backward
    opt.step()
    pbar.set_description(f"loss {loss.item():.3f}")
acc = (model(X).argmax(1) == y).float().mean()
print("accuracy", acc.item())
