import torch
from sklearn.datasets import load_wine
from torch import nn

wine = load_wine()
X = torch.tensor(wine.data, dtype=torch.float32)
y = torch.tensor(wine.target)
torch.manual_seed(15)
shuffled = torch.randperm(len(X))
X, y = X[shuffled], y[shuffled]
X_train, y_train, X_test, y_test = X[:140], y[:140], X[140:], y[140:]

model = nn.Sequential(
    nn.Linear(13, 24),
    nn.ReLU(),
    nn.Linear(24, 3),
)
loss_function = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

for epoch in range(25):
    for start in range(0, len(X_train), 20):
        batch_x = X_train[start : start + 20]
        batch_y = y_train[start : start + 20]
        optimizer.zero_grad()
        loss = loss_function(model(batch_x), batch_y)
        loss.backward()
        optimizer.step()
    if epoch % 5 == 0:
        with torch.no_grad():
            test_accuracy = (model(X_test).argmax(dim=1) == y_test).float().mean()
        print(f"{epoch:3d} {loss.item():.4f} {test_accuracy.item():.3f}")
