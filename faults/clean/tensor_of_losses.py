import torch
import torch.nn as nn

torch.manual_seed(26)
model = nn.Linear(5, 3)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
x = torch.randn(90, 5)
y = x[:, :3].argmax(1)
for epoch in range(20):
    losses = []
    for i in range(0, 90, 30):
        losses.append(nn.functional.cross_entropy(model(x[i : i + 30]), y[i : i + 30]))
    loss = torch.stack(losses).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    print(epoch, loss.item())
