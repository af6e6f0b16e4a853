import torch
import torch.nn as nn

torch.manual_seed(59)
pos = torch.randn(150, 5) + 0.7
neg = torch.randn(150, 5) - 0.7
data = torch.cat([pos, neg])
label = torch.cat([torch.ones(150), torch.zeros(150)])
model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))
criterion = nn.BCEWithLogitsLoss()
opt = torch.optim.Adam(model.parameters(), lr=1e-2)
bs = 30
for epoch in range(6):
    for b in range(len(data) // bs):
        inp = data[b * bs : (b + 1) * bs]
        lab = label[b * bs : (b + 1) * bs]
        out = model(inp).squeeze(1)
        loss = criterion(out, lab)
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
