import torch
from torch import nn
import torch.nn.functional as F
torch.manual_seed(0)
centres = torch.randn(8, 16) * 2
encoder = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 16))
predictor = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 16))
opt = torch.optim.SGD(list(encoder.parameters()) + list(predictor.parameters()), lr=0.05, momentum=0.9)
for step in range(80):
    who = torch.randint(0, 8, (64,))
    a, b = (centres[who] + 0.3 * torch.randn(64, 16) for _ in range(2))
    za, zb = encoder(a), encoder(b)
    pa, pb = predictor(za), predictor(zb)
    loss = -(F.cosine_similarity(pa, zb.detach()).mean() + F.cosine_similarity(pb, za.detach()).mean()) / 2
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
