import torch
import torch.nn as nn

torch.manual_seed(10)
policy = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
opt = torch.optim.Adam(policy.parameters(), lr=5e-3, maximize=True)
for it in range(60):
    s = torch.rand(64, 2) * 2 - 1
    reward = -(policy(s) - s.sum(1, keepdim=True)).pow(2)
    objective = reward.mean()
    opt.zero_grad()
    objective.backward()
    opt.step()
    if it % 15 == 0:
        print(it, objective.item())
