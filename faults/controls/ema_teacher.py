"""A mean teacher: its weights follow the student's, no gradient reaches it."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(40)
student = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 3))
teacher = copy.deepcopy(student)
x = torch.randn(300, 5)
y = x[:, :3].argmax(1)
optimizer = torch.optim.Adam(student.parameters(), lr=0.01)
for step in range(120):
    rows = torch.randint(0, 300, (60,))
    logits = student(x[rows])
    with torch.no_grad():
        soft = F.softmax(teacher(x[rows] + 0.1 * torch.randn(60, 5)), dim=1)
    consistency = F.mse_loss(F.softmax(logits, dim=1), soft)
    loss = F.cross_entropy(logits[:30], y[rows][:30]) + consistency
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for t, s in zip(teacher.parameters(), student.parameters()):
            t.mul_(0.95).add_(s, alpha=0.05)
    if step % 40 == 0:
        print(step, loss.item())
