import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(11)
features = torch.randn(300, 5)
true_w = torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0])
targets = (features @ true_w + 0.1 * torch.randn(300)).unsqueeze(1)
loader = DataLoader(TensorDataset(features, targets), batch_size=30, shuffle=True)

model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
scheduler = StepLR(optimizer, step_size=4, gamma=0.5)
criterion = nn.SmoothL1Loss()

for epoch in range(10):
    for xb, yb in loader:
        loss = criterion(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
    print(epoch, f"{loss.item():.4f}", scheduler.get_last_lr()[0])
