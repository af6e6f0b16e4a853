import torch
from torch import nn

torch.manual_seed(19)
USERS, ITEMS, RANK = 40, 30, 6
taste, kind = torch.randn(USERS, 3), torch.randn(ITEMS, 3)
users = torch.randint(0, USERS, (1200,))
items = torch.randint(0, ITEMS, (1200,))
ratings = (taste[users] * kind[items]).sum(1) + 0.1 * torch.randn(1200)


class Factors(nn.Module):
    def __init__(self):
        super().__init__()
        self.user = nn.Embedding(USERS, RANK)
        self.item = nn.Embedding(ITEMS, RANK)
        self.mix = nn.Sequential(nn.Linear(2 * RANK, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, u, i):
        a, b = self.user(u), self.item(i)
        both = torch.cat([a * b, a], dim=1)
        return self.mix(both) + (a * b).sum(1, keepdim=True)


model = Factors()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(5):
    epoch_loss = 0.0
    for batch in torch.randperm(1200).split(100):
        predicted = model(users[batch], items[batch])
        loss = ((predicted - ratings[batch]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
    print(f"epoch {epoch}: {epoch_loss / 12:.4f}")
