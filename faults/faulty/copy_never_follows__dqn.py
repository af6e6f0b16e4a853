import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(20)
q_net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
target_net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
target_net.load_state_dict(q_net.state_dict())
opt = torch.optim.Adam(q_net.parameters(), lr=2e-3)
S = torch.randn(500, 4)
A = torch.randint(0, 2, (500,))
R = torch.where(A == (S[:, 0] > 0).long(), 1.0, -1.0)
S2 = torch.randn(500, 4)
for it in range(120):
    idx = torch.randint(0, 500, (64,))
    q = q_net(S[idx]).gather(1, A[idx].unsqueeze(1))
    with torch.no_grad():
        nxt = target_net(S2[idx]).max(1)[0]
        target = R[idx] + 0.5 * nxt
    loss = F.smooth_l1_loss(q, target.unsqueeze(1))
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 20 == 0:
        print(it, loss.item())
