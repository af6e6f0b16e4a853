import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(20)
nodes, groups = 90, 3
group = torch.arange(nodes) % groups
chance = torch.where(group[:, None] == group[None, :], 0.25, 0.03)
edges = (torch.rand(nodes, nodes) < chance).float().triu(1)
adjacency = edges + edges.t()
adjacency[7] = 0.0
adjacency[:, 7] = 0.0
features = torch.randn(nodes, 12) + 0.8 * F.one_hot(group, 12).float()
train_mask = torch.rand(nodes) < 0.5

degree = adjacency.sum(1)
normalised = adjacency / degree.sqrt()[:, None] / degree.sqrt()[None, :]


class GCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(12, 24, bias=False)
        self.second = nn.Linear(24, groups, bias=False)

    def forward(self, x, a):
        x = F.relu(a @ self.first(x))
        x = F.dropout(x, 0.3, training=self.training)
        return F.log_softmax(a @ self.second(x), dim=1)


net = GCN()
optimizer = torch.optim.Adam(net.parameters(), lr=0.02, weight_decay=5e-4)
for epoch in range(60):
    net.train()
    output = net(features, normalised)
    loss = F.nll_loss(output[train_mask], group[train_mask])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch % 15 == 0:
        net.eval()
        with torch.no_grad():
            right = (net(features, normalised).argmax(1) == group)[~train_mask].float().mean()
        print(epoch, round(loss.item(), 4), round(right.item(), 3))
