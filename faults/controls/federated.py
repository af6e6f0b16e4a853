import copy

import torch
import torch.nn as nn

torch.manual_seed(1)
w = torch.randn(6, 1)
clients = []
for _ in range(3):
    x = torch.randn(60, 6)
    clients.append((x, x @ w + 0.1 * torch.randn(60, 1)))
server = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
local = copy.deepcopy(server)
for rnd in range(8):
    states = []
    for x, y in clients:
        local.load_state_dict(server.state_dict())
        opt = torch.optim.SGD(local.parameters(), lr=0.05, momentum=0.9)
        for i in range(0, 60, 20):
            opt.zero_grad()
            loss = nn.functional.mse_loss(local(x[i : i + 20]), y[i : i + 20])
            loss.backward()
            opt.step()
        states.append({k: v.clone() for k, v in local.state_dict().items()})
    server.load_state_dict({k: sum(s[k] for s in states) / 3 for k in states[0]})
    print(rnd, loss.item())
