"""A student learns from a teacher's soft answers; the teacher is trained first and rests then."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(4)
mixing = torch.randn(12, 5)


def batch(n=64):
    x = torch.randn(n, 12)
    return x, (x @ mixing).argmax(1)


def network(width):
    return nn.Sequential(nn.Linear(12, width), nn.ReLU(), nn.Dropout(0.1), nn.Linear(width, 5))


teacher, student = network(96), network(16)
optimizer = torch.optim.Adam(teacher.parameters(), lr=3e-3)
for _ in range(150):
    x, y = batch()
    optimizer.zero_grad()
    F.cross_entropy(teacher(x), y).backward()
    optimizer.step()
teacher.eval().requires_grad_(False)

optimizer = torch.optim.Adam(student.parameters(), lr=3e-3)
T = 2.0
for _ in range(150):
    x, y = batch()
    scores = student(x)
    soft = F.kl_div(F.log_softmax(scores / T, 1), F.softmax(teacher(x) / T, 1), reduction="batchmean") * T * T
    loss = 0.5 * soft + 0.5 * F.cross_entropy(scores, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
student.eval()
x, y = batch(500)
print((student(x).argmax(1) == y).float().mean().item())
