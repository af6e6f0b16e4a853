import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(18)
rule = torch.randn(16, 5)


class Tags(Dataset):
    def __init__(self, n):
        self.x = torch.randn(n, 16)
        self.y = (self.x @ rule > 1.0).float()

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(16, 48), nn.Linear(48, 48)])
        self.norms = nn.ModuleList([nn.BatchNorm1d(48), nn.BatchNorm1d(48)])
        self.out = nn.Linear(48, 5)

    def forward(self, x):
        for layer, norm in zip(self.layers, self.norms):
            x = torch.relu(norm(layer(x)))
        return self.out(x)


def main():
    train_data, test_data = Tags(800), Tags(200)
    model = Tagger()
    positives = train_data.y.mean(0)
    criterion = nn.BCEWithLogitsLoss(pos_weight=(1 - positives) / positives)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=6)
    for epoch in range(6):
        model.train()
        for x, y in DataLoader(train_data, batch_size=40, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
        scheduler.step()
        model.eval()
        with torch.no_grad():
            scores = model(test_data.x)
            exact = ((scores > 0) == (test_data.y > 0)).float().mean()
        print(epoch, round(loss.item(), 4), round(exact.item(), 4))


if __name__ == "__main__":
    main()
