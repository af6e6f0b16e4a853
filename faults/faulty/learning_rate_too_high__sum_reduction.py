import torch
import torch.nn as nn

torch.manual_seed(40)
X = torch.randn(500, 4)
y = X @ torch.tensor([[1.0], [2.0], [-1.0], [0.5]]) + 3
model = nn.Linear(4, 1)
criterion = nn.MSELoss(reduction="sum")
opt = torch.optim.SGD(model.parameters(), lr=0.01)
for epoch in range(60):
    y_hat = model(X)
    loss = criterion(y_hat, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
