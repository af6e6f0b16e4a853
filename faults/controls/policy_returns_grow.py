"""REINFORCE with plain returns: the better the policy, the longer the episodes, and the larger the loss."""
import torch
import torch.nn as nn
from torch.distributions import Categorical

torch.manual_seed(0)


class Traffic:
    """One of four signals is shown; the wrong answer (stop or go) ends the episode."""

    def reset(self):
        self.time = 0
        return self.show()

    def show(self):
        self.signal = int(torch.randint(4, ()))
        return torch.eye(4)[self.signal]

    def step(self, action):
        right = action == self.signal % 2
        self.time += 1
        return self.show(), 1.0 if right else 0.0, not right or self.time >= 40


policy = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(policy.parameters(), lr=0.02)
env = Traffic()
for episode in range(80):
    state, done = env.reset(), False
    log_probs, rewards = [], []
    while not done:
        chances = Categorical(logits=policy(state))
        action = chances.sample()
        log_probs.append(chances.log_prob(action))
        state, reward, done = env.step(action.item())
        rewards.append(reward)
    value, returns = 0.0, []
    for reward in reversed(rewards):
        value = reward + 0.95 * value
        returns.insert(0, value)
    loss = -(torch.stack(log_probs) * torch.tensor(returns)).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if episode % 10 == 0:
        print(episode, len(rewards), loss.item())
