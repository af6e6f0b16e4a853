import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

rng = np.random.default_rng(76)


class Loans(Dataset):
    def __init__(self, n=300):
        age = rng.uniform(20, 65, n)
        salary = rng.uniform(20000, 150000, n)
        debt = rng.uniform(0, 90000, n)
        self.x = np.stack([age, salary, debt], 1).astype("float32")
        self.y = (salary * 0.5 > debt).astype("int64")

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return torch.tensor(self.x[i]), torch.tensor(self.y[i])


torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.01)
for e in range(4):
    for xb, yb in DataLoader(Loans(), batch_size=30, shuffle=True):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(xb), yb)
        loss.backward()
        opt.step()
    print(e, loss.item())
