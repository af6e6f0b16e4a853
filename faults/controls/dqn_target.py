"""Q-learning on a corridor, with a target network that is copied now and then."""
import copy
import random

import torch
import torch.nn as nn

random.seed(0)
torch.manual_seed(39)
LENGTH = 6
q = nn.Sequential(nn.Linear(LENGTH, 24), nn.ReLU(), nn.Linear(24, 2))
target = copy.deepcopy(q)
for p in target.parameters():
    p.requires_grad_(False)
optimizer = torch.optim.Adam(q.parameters(), lr=5e-3)
eye, memory, state = torch.eye(LENGTH), [], 0
for step in range(300):
    with torch.no_grad():
        greedy = q(eye[state]).argmax().item()
    action = random.randrange(2) if random.random() < 0.3 else greedy
    following = max(0, state - 1) if action == 0 else state + 1
    done = following == LENGTH - 1
    memory.append((state, action, float(done), following, done))
    state = 0 if done else following
    if len(memory) < 32:
        continue
    s, a, r, n, d = map(torch.tensor, zip(*random.sample(memory, 32)))
    chosen = q(eye[s]).gather(1, a.unsqueeze(1)).squeeze(1)
    with torch.no_grad():
        wanted = r + 0.9 * target(eye[n]).max(1).values * (~d)
    loss = nn.functional.smooth_l1_loss(chosen, wanted)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        target.load_state_dict(q.state_dict())
print([round(v, 2) for v in q(eye).max(1).values.tolist()])
