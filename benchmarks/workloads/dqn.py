"""DQN 4-64-64-2: replayed batches of 64, a target network copied every 10 steps, Adam."""

import random

import torch
from torch import nn
from torch.nn import functional as F

BATCH, GAMMA = 64, 0.99


def network():
    return nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))


torch.manual_seed(0)
random.seed(0)
memory = [
    (torch.randn(4), random.randrange(2), random.random(), torch.randn(4), float(random.random() < 0.05))
    for _ in range(500)
]
policy, target = network(), network()
target.load_state_dict(policy.state_dict())
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)


def train(steps):
    losses = []
    for step in range(steps):
        states, actions, rewards, next_states, dones = zip(*random.sample(memory, BATCH), strict=True)
        states, next_states = torch.stack(states), torch.stack(next_states)
        actions, rewards, dones = torch.tensor(actions), torch.tensor(rewards), torch.tensor(dones)
        q = policy(states).gather(1, actions.unsqueeze(1)).squeeze(1)
        with torch.no_grad():
            best = target(next_states).max(1).values
        loss = F.smooth_l1_loss(q, rewards + GAMMA * best * (1 - dones))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_value_(policy.parameters(), 1.0)
        optimizer.step()
        if step % 10 == 9:
            target.load_state_dict(policy.state_dict())
        losses.append(loss.item())
    return losses


def flops():
    return 2 * BATCH * (3 * 4 * 64 + 4 * 64 * 64 + 4 * 64 * 2)
