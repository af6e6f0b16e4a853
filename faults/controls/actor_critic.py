"""Policy gradient with a learnt baseline: the advantage is detached."""
import torch
import torch.nn as nn
from torch.distributions import Categorical

torch.manual_seed(41)


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, 32), nn.Tanh())
        self.actor = nn.Linear(32, 3)
        self.critic = nn.Linear(32, 1)

    def forward(self, s):
        h = self.trunk(s)
        return Categorical(logits=self.actor(h)), self.critic(h).squeeze(-1)


net = ActorCritic()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for episode in range(150):
    states = torch.randn(32, 4)
    policy, value = net(states)
    actions = policy.sample()
    reward = (actions == states[:, :3].argmax(1)).float()
    advantage = reward - value
    loss = -(policy.log_prob(actions) * advantage.detach()).mean() + 0.5 * advantage.pow(2).mean()
    loss = loss - 0.01 * policy.entropy().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if episode % 50 == 0:
        print(episode, reward.mean().item())
