# iris classifier, lab assignment 3
import torch
import torch.nn as nn
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

torch.manual_seed(0)
X, y = load_iris(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=1)
sc = StandardScaler()
X_train = torch.tensor(sc.fit_transform(X_train), dtype=torch.float32)
X_test = torch.tensor(sc.transform(X_test), dtype=torch.float32)
y_train = torch.tensor(y_train)
y_test = torch.tensor(y_test)


class IrisNet:
    def __init__(self, hidden=16, lr=0.05):
        self.net = nn.Sequential(nn.Linear(4, hidden), nn.ReLU(), nn.Linear(hidden, 3))
        self.criterion = nn.CrossEntropyLoss()
        self.opt = torch.optim.SGD(self.net.parameters(), lr=lr)

    def fit(self, X, y, epochs=100):
        history = []
        for e in range(epochs):
            out = self.net(X)
            loss = self.criterion(out, y)
            self.opt.zero_grad()
            loss.backward()
            self.opt.step()
            history.append(loss.item())
        return history

    def score(self, X, y):
        with torch.no_grad():
            return (self.net(X).argmax(1) == y).float().mean().item()


clf = IrisNet()
h = clf.fit(X_train, y_train)
print("first loss", h[0], "last loss", h[-1])
print("test accuracy", clf.score(X_test, y_test))
