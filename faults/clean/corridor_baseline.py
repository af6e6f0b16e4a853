"""REINFORCE with a value baseline: walk to the flag at the right end of a corridor."""
import torch
import torch.nn as nn
import torch.optim as optim
from torch.distributions import Categorical

torch.manual_seed(5)
SIZE, GAMMA = 7, 0.97


class Corridor:
    def reset(self):
        self.at, self.time = 2, 0
        return self.state()

    def state(self):
        s = torch.zeros(SIZE)
        s[self.at] = 1.0
        return s

    def step(self, action):
        self.at = max(0, min(SIZE - 1, self.at + (1 if action == 1 else -1)))
        self.time += 1
        done = self.at == SIZE - 1 or self.time >= 20
        reward = 1.0 if self.at == SIZE - 1 else -0.05
        return self.state(), reward, done


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(SIZE, 24)
        self.actor = nn.Linear(24, 2)
        self.critic = nn.Linear(24, 1)

    def forward(self, s):
        h = torch.tanh(self.body(s))
        return torch.softmax(self.actor(h), dim=-1), self.critic(h)


policy = ActorCritic()
optimizer = optim.Adam(policy.parameters(), lr=2e-2)
env = Corridor()
lengths = []
for episode in range(80):
    state, done = env.reset(), False
    log_probs, values, rewards = [], [], []
    while not done:
        probs, value = policy(state)
        dist = Categorical(probs)
        action = dist.sample()
        state, reward, done = env.step(action.item())
        log_probs.append(dist.log_prob(action))
        values.append(value.squeeze(-1))
        rewards.append(reward)
    returns, R = [], 0.0
    for r in reversed(rewards):
        R = r + GAMMA * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    values = torch.stack(values)
    advantage = returns - values.detach()
    policy_loss = -(torch.stack(log_probs) * advantage).sum()
    value_loss = nn.functional.smooth_l1_loss(values, returns, reduction="sum")
    loss = policy_loss + 0.5 * value_loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    lengths.append(len(rewards))
    if episode % 20 == 19:
        print(episode, "mean length", sum(lengths[-20:]) / 20)
