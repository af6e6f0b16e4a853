import torch
import torch.nn as nn

torch.manual_seed(11)
net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
x = torch.randn(200, 16)
y = x[:, :4].argmax(1)
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for e in range(20):
    opt.zero_grad()
    nn.functional.cross_entropy(net(x), y).backward()
    opt.step()
net.eval()
image = torch.zeros(1, 16, requires_grad=True)
for i in range(15):
    score = net(image)[0, 2] - 0.05 * image.pow(2).sum()
    (g,) = torch.autograd.grad(score, image)
    with torch.no_grad():
        image += 0.1 * g
print(net(image).softmax(1))
