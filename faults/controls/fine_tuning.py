"""BatchNorm keeps its statistics while the whole network is fine-tuned gently."""
import torch
import torch.nn as nn

torch.manual_seed(36)


def network():
    return nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 3))


x = torch.randn(360, 8)
y = x[:, :3].argmax(1)
donor = network()
optimizer = torch.optim.Adam(donor.parameters(), lr=0.01)
for step in range(80):
    rows = torch.randint(0, 360, (60,))
    loss = nn.functional.cross_entropy(donor(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

model = network()
model.load_state_dict(donor.state_dict())
model[3] = nn.Linear(32, 2)
z = (x[:, 0] > x[:, 1]).long()
optimizer = torch.optim.Adam(
    [{"params": model[:3].parameters(), "lr": 1e-4}, {"params": model[3].parameters(), "lr": 1e-2}]
)
model.train()
for module in model.modules():
    if isinstance(module, nn.BatchNorm1d):
        module.eval()
for step in range(80):
    rows = torch.randint(0, 360, (60,))
    loss = nn.functional.cross_entropy(model(x[rows]), z[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
model.eval()
with torch.no_grad():
    print((model(x).argmax(1) == z).float().mean().item())
