"""Policy gradient on a small grid: walk to the right end."""
import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(13)
LENGTH = 6


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(LENGTH, 24), nn.Tanh())
        self.actor = nn.Linear(24, 2)
        self.critic = nn.Linear(24, 1)

    def forward(self, place):
        h = self.body(nn.functional.one_hot(place, LENGTH).float())
        return Categorical(logits=self.actor(h)), self.critic(h).squeeze(-1)


def play(policy, walkers=16, moves=10):
    place = torch.zeros(walkers, dtype=torch.long)
    log_probs, values, rewards = [], [], []
    for _ in range(moves):
        choice, value = policy(place)
        action = choice.sample()
        log_probs.append(choice.log_prob(action))
        values.append(value)
        place = (place + 2 * action - 1).clamp(0, LENGTH - 1)
        rewards.append((place == LENGTH - 1).float())
    return torch.stack(log_probs), torch.stack(values), torch.stack(rewards)


def discounted(rewards, gamma=0.95):
    total, out = torch.zeros(rewards.shape[1]), []
    for reward in reversed(rewards):
        total = reward + gamma * total
        out.insert(0, total)
    return torch.stack(out)


policy = Policy()
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
for episode in range(80):
    log_probs, values, rewards = play(policy)
    returns = discounted(rewards)
    advantage = (returns - returns.mean()) / (returns.std() + 1e-6)
    actor_loss = -(log_probs * advantage).mean()
    critic_loss = nn.functional.mse_loss(values, returns)
    entropy_bonus = 0.0
    loss = actor_loss + 0.5 * critic_loss - entropy_bonus
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if episode % 20 == 0:
        print(episode, rewards.sum(0).mean().item())
