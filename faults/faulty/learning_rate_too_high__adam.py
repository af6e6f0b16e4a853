import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

digits = load_digits()
X = (digits.data / 16.0).astype(np.float32)
Xtr, Xte, ytr, yte = train_test_split(X, digits.target, test_size=0.25, random_state=0)
Xtr, Xte = torch.from_numpy(Xtr), torch.from_numpy(Xte)
ytr, yte = torch.from_numpy(ytr), torch.from_numpy(yte)

torch.manual_seed(12)


class MLP(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Linear(64, 48)
        self.b = torch.nn.Linear(48, 10)

    def forward(self, x):
        z = self.b(F.relu(self.a(x)))
        return F.log_softmax(z, dim=1)


model = MLP()
opt = torch.optim.Adam(model.parameters(), lr=0.8)
for epoch in range(4):
    perm = torch.randperm(len(Xtr))
    for k in range(0, len(perm), 64):
        idx = perm[k : k + 64]
        opt.zero_grad()
        loss = F.nll_loss(model(Xtr[idx]), ytr[idx])
        loss.backward()
        opt.step()
    with torch.no_grad():
        acc = (model(Xte).argmax(1) == yte).float().mean()
    print(epoch, loss.item(), acc.item())
