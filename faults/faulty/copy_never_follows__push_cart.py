import random
from collections import deque, namedtuple
import torch
import torch.nn as nn
import torch.nn.functional as F

random.seed(0); torch.manual_seed(0)
Transition = namedtuple("Transition", ("state", "action", "reward", "next_state", "done"))

class Env:
    """A point on a line must be pushed to the middle."""
    def reset(self):
        self.x, self.v, self.t = random.uniform(-1, 1), 0.0, 0
        return [self.x, self.v]
    def step(self, action):
        self.v = 0.8 * self.v + (0.1 if action else -0.1)
        self.x += self.v
        self.t += 1
        done = abs(self.x) > 2 or self.t >= 30
        return [self.x, self.v], 1.0 - abs(self.x), done

class DQN(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(2, 32)
        self.layer2 = nn.Linear(32, 32)
        self.layer3 = nn.Linear(32, 2)
    def forward(self, x):
        x = F.relu(self.layer1(x))
        x = F.relu(self.layer2(x))
        return self.layer3(x)

BATCH_SIZE, GAMMA, EPS, SYNC = 32, 0.9, 0.2, 25
policy_net, target_net = DQN(), DQN()
target_net.load_state_dict(policy_net.state_dict())
target_net.eval()
optimizer = torch.optim.AdamW(policy_net.parameters(), lr=2e-3, amsgrad=True)
memory = deque(maxlen=2000)
steps_done = 0

def optimize_model():
    if len(memory) < BATCH_SIZE:
        return
    batch = Transition(*zip(*random.sample(memory, BATCH_SIZE)))
    state = torch.tensor(batch.state)
    action = torch.tensor(batch.action).unsqueeze(1)
    reward = torch.tensor(batch.reward)
    next_state = torch.tensor(batch.next_state)
    not_done = 1.0 - torch.tensor(batch.done, dtype=torch.float32)
    q = policy_net(state).gather(1, action).squeeze(1)
    with torch.no_grad():
        next_q = target_net(next_state).max(1)[0]
        expected = reward + GAMMA * next_q * not_done
    loss = F.smooth_l1_loss(q, expected)
    optimizer.zero_grad()
    loss.backward()
    for param in policy_net.parameters():
        param.grad.data.clamp_(-1, 1)
    optimizer.step()

env = Env()
for episode in range(10):
    s, total = env.reset(), 0.0
    while True:
        if random.random() < EPS:
            a = random.randrange(2)
        else:
            with torch.no_grad():
                a = policy_net(torch.tensor([s])).max(1)[1].item()
        s2, r, done = env.step(a)
        memory.append((s, a, r, s2, done))
        s = s2
        total += r
        optimize_model()
        steps_done += 1
        if done:
            break
    print(episode, total)
