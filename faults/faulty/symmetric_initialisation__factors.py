import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(15)
true_users, true_items = torch.randn(60, 3), torch.randn(40, 3)
users, items = torch.randint(0, 60, (2400,)), torch.randint(0, 40, (2400,))
ratings = (true_users[users] * true_items[items]).sum(1)
ratings = 3.0 + ratings.clamp(-2, 2)


class Factors(nn.Module):
    def __init__(self, n_users, n_items, rank=8):
        super().__init__()
        self.user = nn.Embedding(n_users, rank)
        self.item = nn.Embedding(n_items, rank)
        self.user_bias = nn.Embedding(n_users, 1)
        self.item_bias = nn.Embedding(n_items, 1)
        self.mean = nn.Parameter(torch.tensor(3.0))
        nn.init.normal_(self.user.weight, std=0.0)
        nn.init.normal_(self.item.weight, std=0.0)
        nn.init.zeros_(self.user_bias.weight)
        nn.init.zeros_(self.item_bias.weight)

    def forward(self, u, i):
        dot = (self.user(u) * self.item(i)).sum(1)
        return dot + self.user_bias(u).squeeze(1) + self.item_bias(i).squeeze(1) + self.mean


model = Factors(60, 40)
loader = DataLoader(TensorDataset(users, items, ratings), batch_size=100, shuffle=True)
optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=1e-5)
mse = nn.MSELoss()
for epoch in range(8):
    total = 0.0
    for u, i, r in loader:
        loss = mse(model(u, i), r)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(epoch, round(total / len(loader), 4))
