# multi-task: two heads on one trunk
import torch
from torch import nn

torch.manual_seed(0)


class MultiTask(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(10, 32), nn.ReLU())
        self.heads = nn.ModuleDict({"age": nn.Linear(32, 1), "gender": nn.Linear(32, 2)})

    def forward(self, x):
        z = self.trunk(x)
        return {name: head(z) for name, head in self.heads.items()}


data = [{"x": torch.randn(32, 10)} for _ in range(20)]
for d in data:
    d["age"] = d["x"][:, :2].sum(1, keepdim=True)
    d["gender"] = (d["x"][:, 3] > 0).long()

model = MultiTask()
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
for epoch in range(5):
    running = 0
    for batch in data:
        out = model(batch["x"])
        loss = nn.functional.mse_loss(out["age"], batch["age"]) + nn.functional.cross_entropy(out["gender"], batch["gender"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item()
    print(epoch, running / len(data))
