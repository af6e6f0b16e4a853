import torch
from torch import nn

torch.manual_seed(13)
x = torch.randn(600, 12)
kinds = (x[:, 0] * x[:, 1] > 0).long() + (x[:, 2] > 0.8).long()
amount = torch.sin(x[:, 3]) + 0.5 * x[:, 4]


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.kind = nn.Linear(32, 3)
        self.amount = nn.Linear(32, 1)
        self.log_vars = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        shared = self.trunk(x)
        return self.kind(shared), self.amount(shared).squeeze(1)


def multitask_loss(model, x, kinds, amount):
    scores, guess = model(x)
    first = nn.functional.cross_entropy(scores, kinds)
    second = nn.functional.mse_loss(guess, amount)
    weights = torch.exp(-model.log_vars)
    return weights[0] * first + -weights[1] * second + model.log_vars.sum()


model = TwoHeads()
optimizer = torch.optim.AdamW(
    [
        {"params": model.trunk.parameters(), "lr": 3e-3},
        {"params": list(model.kind.parameters()) + list(model.amount.parameters()), "lr": 3e-3},
        {"params": [model.log_vars], "lr": 1e-2, "weight_decay": 0.0},
    ]
)
for epoch in range(12):
    for index in torch.randperm(600).split(50):
        loss = multitask_loss(model, x[index], kinds[index], amount[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, round(loss.item(), 4))
