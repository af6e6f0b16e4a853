import torch
import torch.nn as nn
from torch.distributions import Categorical

torch.manual_seed(3)
body = nn.Sequential(nn.Linear(4, 32), nn.Tanh())
actor, critic = nn.Linear(32, 3), nn.Linear(32, 1)
opt = torch.optim.Adam([*body.parameters(), *actor.parameters(), *critic.parameters()], lr=3e-3)
for it in range(80):
    s = torch.randn(32, 4)
    h = body(s)
    dist = Categorical(logits=actor(h))
    a = dist.sample()
    r = (a == s[:, :3].argmax(1)).float()
    v = critic(h).squeeze(-1)
    adv = (r - v).detach()
    loss = -(dist.log_prob(a) * adv).mean() + 0.5 * (r - v).pow(2).mean() - 0.01 * dist.entropy().mean()
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(body.parameters(), 0.5)
    opt.step()
    if it % 20 == 0:
        print(it, r.mean().item())
