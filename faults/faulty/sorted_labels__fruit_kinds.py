"""Two heads on one trunk: a kind (classes) and a size (a number)."""
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Fruit(Dataset):
    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        self.kind = torch.randint(0, 4, (n,), generator=g).sort().values
        self.size = torch.rand(n, generator=g) * 2 - 1
        mix = torch.randn(4, 10, generator=torch.Generator().manual_seed(1))
        grow = torch.randn(10, generator=torch.Generator().manual_seed(2))
        self.x = mix[self.kind] + self.size[:, None] * grow + 0.3 * torch.randn(n, 10, generator=g)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.kind[i], self.size[i]


class Trunk(nn.Module):
    def __init__(self, n_in, width, depth):
        super().__init__()
        self.first = nn.Linear(n_in, width)
        self.rest = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])
        self.act = nn.ELU()

    def forward(self, x):
        x = self.act(self.first(x))
        for layer in self.rest:
            x = x + self.act(layer(x))
        return x


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = Trunk(10, 32, 2)
        self.kind_head = nn.Linear(32, 4)
        self.size_head = nn.Linear(32, 1)

    def forward(self, x):
        h = self.trunk(x)
        return self.kind_head(h), self.size_head(h).squeeze(-1)


def epoch(model, loader, optimizer):
    model.train()
    kind_sum = size_sum = 0.0
    for x, kind, size in loader:
        scores, guess = model(x)
        kind_loss = nn.functional.cross_entropy(scores, kind)
        size_loss = nn.functional.mse_loss(guess, size)
        loss = kind_loss + size_loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        kind_sum += kind_loss.item()
        size_sum += size_loss.item()
    return kind_sum / len(loader), size_sum / len(loader)


def main():
    torch.manual_seed(30)
    train = DataLoader(Fruit(480, 6), batch_size=24, shuffle=False)
    model = TwoHeads()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.8)
    for e in range(8):
        kind_loss, size_loss = epoch(model, train, optimizer)
        print(e, round(kind_loss, 4), round(size_loss, 4))
    print("at the end", kind_loss + size_loss)


if __name__ == "__main__":
    main()
