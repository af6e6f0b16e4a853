import torch
import torch.nn as nn


class TwoHeads(nn.Module):
    """One trunk; one head for a class, one for a number."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
        self.classify = nn.Linear(16, 3)
        self.regress = nn.Linear(16, 1)

    def forward(self, x):
        features = self.trunk(x)
        return self.classify(features), self.regress(features).squeeze(-1)


def main(steps=150):
    torch.manual_seed(14)
    x = torch.randn(500, 10)
    kind = x[:, :3].argmax(dim=1)
    amount = x[:, 3] - 0.5 * x[:, 4] ** 2
    model = TwoHeads()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    ce, mse = nn.CrossEntropyLoss(), nn.MSELoss()
    for step in range(steps):
        i = torch.randint(0, 500, (50,))
        logits, value = model(x[i])
        class_loss = ce(logits, kind[i])
        value_loss = mse(value, amount[i])
        loss = class_loss + 0.5 * value_loss
        loss.backward()
        model.zero_grad()
        optimizer.step()
        if step % 50 == 49:
            print(f"{step + 1:4d}  class {class_loss.item():.3f}  value {value_loss.item():.3f}")


main()
