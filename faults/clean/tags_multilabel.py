import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)


class TagNet(nn.Module):
    def __init__(self, n_in, n_tags):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_in, 48), nn.ReLU())
        self.tags = nn.Linear(48, n_tags)

    def forward(self, x):
        out = self.tags(self.body(x))
        return out


M = torch.randn(25, 6)
inputs = torch.randn(400, 25)
targets = ((inputs @ M) > 2).float()
net = TagNet(25, 6)
opt = torch.optim.Adam(net.parameters(), lr=3e-3)


def train_loop(net, inputs, targets, n_epochs):
    for ep in range(n_epochs):
        order = torch.randperm(len(inputs))
        for chunk in order.split(50):
            opt.zero_grad(set_to_none=True)
            loss = F.binary_cross_entropy_with_logits(net(inputs[chunk]), targets[chunk])
            loss.backward()
            opt.step()
        print(ep, loss.item())


train_loop(net, inputs, targets, 6)
