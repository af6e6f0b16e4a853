import torch

torch.manual_seed(22)
X = torch.randn(160, 4)
y = torch.sign(X @ torch.tensor([1.0, -1.0, 0.5, 0.0]) + 0.2)
w = torch.zeros(4, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
opt = torch.optim.SGD([{"params": [w], "weight_decay": 0.01}, {"params": [b]}], lr=0.1)
for e in range(30):
    for i in torch.randperm(160).split(32):
        loss = (1 - y[i] * (X[i] @ w + b)).clamp(min=0).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
print(loss.item())
