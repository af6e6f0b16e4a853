"""A contrastive loss over all pairs: [N, 1] against [1, N] is meant."""
import torch
import torch.nn as nn

torch.manual_seed(49)
x = torch.randn(120, 6)
value = x[:, 0] + x[:, 1] ** 2
scorer = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(scorer.parameters(), lr=5e-3)
for step in range(100):
    rows = torch.randint(0, 120, (30,))
    score = scorer(x[rows])
    gap = score - score.T
    wanted = (value[rows][:, None] > value[rows][None, :]).float()
    loss = nn.functional.binary_cross_entropy_with_logits(gap, wanted)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 25 == 0:
        print(step, loss.item())
