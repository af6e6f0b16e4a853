import torch
import torch.nn as nn
from torch.utils.data import Dataset, DataLoader
from sklearn.datasets import load_diabetes


class DiabetesData(Dataset):
    def __init__(self):
        data = load_diabetes()
        self.x = torch.tensor(data.data, dtype=torch.float32) * 20
        self.y = torch.tensor((data.target - 150) / 75, dtype=torch.float32)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return {"features": self.x[i], "target": self.y[i]}


torch.manual_seed(0)
loader = DataLoader(DiabetesData(), batch_size=32, shuffle=True)
model = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
for epoch in range(8):
    for batch in loader:
        output = model(batch["features"])
        loss = ((output.squeeze(1) - batch["target"]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "loss", loss.item())
