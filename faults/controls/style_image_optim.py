# optimise an input image with a frozen network
import torch
import torch.nn as nn

torch.manual_seed(0)
net = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3)).eval()
for p in net.parameters():
    p.requires_grad_(False)
target = net(torch.rand(1, 1, 12, 12))
img = torch.rand(1, 1, 12, 12, requires_grad=True)
opt = torch.optim.Adam([img], lr=0.05)
for i in range(80):
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(img), target)
    loss.backward()
    opt.step()
    with torch.no_grad():
        img.clamp_(0, 1)
print(loss.item())
