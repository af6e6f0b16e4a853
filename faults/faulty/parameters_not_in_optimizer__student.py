import copy
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(21)
x = torch.randn(800, 2) * 1.5
y = ((x[:, 0] ** 2 + x[:, 1] ** 2) > 3).long() + (x[:, 0] > 1.5).long()


def mlp(width):
    return nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3))


teacher = mlp(64)
optimizer = torch.optim.Adam(teacher.parameters(), lr=5e-3)
for step in range(80):
    pick = torch.randint(0, 800, (64,))
    loss = F.cross_entropy(teacher(x[pick]), y[pick])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

student = mlp(16)
average = copy.deepcopy(student)
optimizer = torch.optim.Adam(average.parameters(), lr=5e-3)
temperature = 2.0
for step in range(120):
    pick = torch.randint(0, 800, (64,))
    with torch.no_grad():
        soft = F.softmax(teacher(x[pick]) / temperature, dim=1)
    scores = student(x[pick])
    match = F.kl_div(F.log_softmax(scores / temperature, dim=1), soft, reduction="batchmean") * temperature ** 2
    loss = 0.7 * match + 0.3 * F.cross_entropy(scores, y[pick])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for slow, fast in zip(average.parameters(), student.parameters()):
            slow.mul_(0.95).add_(fast, alpha=0.05)
    if step % 30 == 0:
        print(step, round(loss.item(), 4))
print((average(x).argmax(1) == y).float().mean().item())
