import torch
from torch import nn

torch.manual_seed(3)


class Classifier(nn.Module):
    def __init__(self, n_in, n_hidden, n_out, lr=0.05):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_in, n_hidden), nn.Tanh(), nn.Linear(n_hidden, n_out))
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.parameters(), lr=lr)

    def forward(self, x):
        return self.layers(x)

    def fit(self, X, y, epochs=20, batch_size=25):
        for epoch in range(epochs):
            order = torch.randperm(len(X))
            total = 0.0
            for i in range(0, len(X), batch_size):
                idx = order[i : i + batch_size]
                self.optimizer.zero_grad()
                loss = self.criterion(self(X[idx]), y[idx])
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            if epoch % 5 == 0:
                print(epoch, total)
        return self


X = torch.randn(300, 6)
y = (X[:, 0] * 2 - X[:, 1] > 0).long() + (X[:, 2] > 1).long()
clf = Classifier(6, 24, 3).fit(X, y)
print("accuracy", (clf(X).argmax(1) == y).float().mean().item())
