import torch
import torch.nn as nn
from torch.distributions import Categorical

torch.manual_seed(5)


class Corridor:
    """Six cells; the agent starts in the middle and should reach the right end."""

    def reset(self):
        self.pos, self.t = 2, 0
        return self.state()

    def state(self):
        s = torch.zeros(6)
        s[self.pos] = 1.0
        return s

    def step(self, action):
        self.pos += 1 if action == 1 else -1
        self.t += 1
        done = self.pos in (0, 5) or self.t >= 20
        return self.state(), (1.0 if self.pos == 5 else -0.05), done


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(6, 16)
        self.l2 = nn.Linear(16, 2)

    def forward(self, s):
        return torch.softmax(self.l2(torch.tanh(self.l1(s))), dim=-1)


policy = Policy()
optimizer = torch.optim.Adam(policy.parameters(), lr=0.02)
env = Corridor()
for episode in range(80):
    state, done = env.reset(), False
    log_probs, rewards = [], []
    while not done:
        dist = Categorical(policy(state))
        action = dist.sample()
        log_probs.append(dist.log_prob(action))
        state, reward, done = env.step(action.item())
        rewards.append(reward)
    returns, g = [], 0.0
    for r in reversed(rewards):
        g = r + 0.98 * g
        returns.insert(0, g)
    returns = torch.tensor(returns)
    loss = -(torch.stack(log_probs) * returns).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if episode % 20 == 0:
        print(episode, sum(rewards))
