import torch
from torch import nn

torch.manual_seed(10)
data = torch.randn(240, 12)
target = (data[:, :3].sum(1, keepdim=True) > 0).float()
model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 1))
loss_fn = nn.BCEWithLogitsLoss()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
model.train()
for epoch in range(5):
    perm = torch.randperm(200)
    for k in range(0, 200, 25):
        j = perm[k : k + 25]
        opt.zero_grad()
        loss = loss_fn(model(data[:200][j]), target[:200][j])
        loss.backward()
        opt.step()
    model.eval()
    with torch.no_grad():
        val = loss_fn(model(data[200:]), target[200:])
    print(f"epoch {epoch} train {loss.item():.3f} val {val.item():.3f}")
