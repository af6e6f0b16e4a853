import torch
import torch.nn as nn
import torch.utils.data as data


class Tabular(data.Dataset):
    def __init__(self, n, seed):
        gen = torch.Generator().manual_seed(seed)
        self.x = torch.randn(n, 12, generator=gen)
        self.y = (self.x[:, :4].sum(dim=1) > self.x[:, 4:8].sum(dim=1)).long()

    def __getitem__(self, item):
        return self.x[item], self.y[item]

    def __len__(self):
        return self.x.shape[0]


def network():
    block = lambda i, o: nn.Sequential(nn.Linear(i, o), nn.BatchNorm1d(o), nn.ReLU())
    return nn.Sequential(block(12, 32), block(32, 32), nn.Linear(32, 2))


def main():
    torch.manual_seed(23)
    train = data.DataLoader(Tabular(192, 1), batch_size=24, shuffle=True)
    held_out = Tabular(64, 2)
    net = network()
    optim = torch.optim.Adam(net.parameters(), lr=0.005)
    lossf = nn.CrossEntropyLoss()
    for epoch in range(4):
        net.train()
        for xb, yb in train:
            optim.zero_grad()
            loss = lossf(net(xb), yb)
            loss.backward()
            optim.step()
        with torch.no_grad():
            acc = (net(held_out.x).argmax(1) == held_out.y).float().mean().item()
        print(f"epoch={epoch} loss={loss.item():.3f} acc={acc:.3f}")


if __name__ == "__main__":
    main()
