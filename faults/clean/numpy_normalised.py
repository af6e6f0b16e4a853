import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
np.random.seed(0)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(20, 32)
        self.fc2 = nn.Linear(32, 8)
        self.cls = nn.Linear(8, 4)

    def forward(self, x):
        h = F.relu(self.fc1(x))
        z = self.fc2(h)
        # normalise the embedding
        z = z / z.norm(dim=1, keepdim=True)
        return self.cls(z)


centers = torch.randn(4, 20) * 2
lab = torch.randint(0, 4, (300,))
feat = centers[lab] + torch.randn(300, 20)
net = Encoder()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(30):
    optimizer.zero_grad()
    loss = F.cross_entropy(net(feat), lab)
    loss.backward()
    optimizer.step()
print("loss", loss.item())
