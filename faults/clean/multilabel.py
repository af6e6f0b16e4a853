import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(13)


class Tags(Dataset):
    def __init__(self, n):
        self.x = torch.randn(n, 16)
        self.y = (self.x @ torch.randn(16, 5) > 1).float()

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(16, 32)
        self.head = nn.Linear(32, 5)
        self.act = nn.Sigmoid()

    def forward(self, x):
        h = self.head(torch.relu(self.body(x)))
        return h


loader = DataLoader(Tags(320), batch_size=32, shuffle=True)
model = Tagger()
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
criterion = nn.BCEWithLogitsLoss()
for epoch in range(8):
    for x, y in loader:
        opt.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        opt.step()
    print(epoch, round(loss.item(), 4))
