import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(12)
teacher = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 5))
x = torch.randn(240, 8)
y = x[:, :5].argmax(1)
opt = torch.optim.Adam(teacher.parameters(), lr=1e-2)
for e in range(25):
    opt.zero_grad()
    F.cross_entropy(teacher(x), y).backward()
    opt.step()
student = nn.Linear(8, 5)
opt = torch.optim.Adam(student.parameters(), lr=1e-2)
T = 2.0
for e in range(30):
    with torch.no_grad():
        soft = F.softmax(teacher(x) / T, dim=1)
    loss = F.kl_div(F.log_softmax(student(x) / T, dim=1), soft, reduction="batchmean") * T * T
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
