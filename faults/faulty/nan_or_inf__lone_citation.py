import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(9)
n, classes = 120, 3
labels = torch.arange(n) % classes
same = labels[:, None] == labels[None, :]
adj = (torch.rand(n, n) < torch.where(same, torch.tensor(0.12), torch.tensor(0.01))).float()
adj = ((adj + adj.T) > 0).float()
adj.fill_diagonal_(0)
features = torch.zeros(n, 30)
for i in range(n):
    words = torch.randint(0, 30, (4,))
    words[0] = labels[i] * 10 + torch.randint(0, 10, ())
    features[i, words] = 1.0


def normalise(a):
    a = a.clone(); a[5] = a[:, 5] = 0
    d = a.sum(1).pow(-0.5)
    return d[:, None] * a * d[None, :]


a_hat = normalise(adj)


class GraphConvolution(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(i, o))
        self.bias = nn.Parameter(torch.zeros(o))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x, a):
        return a @ (x @ self.weight) + self.bias


class GCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.gc1 = GraphConvolution(30, 16)
        self.gc2 = GraphConvolution(16, classes)

    def forward(self, x, a):
        x = F.relu(self.gc1(x, a))
        x = F.dropout(x, 0.4, training=self.training)
        return F.log_softmax(self.gc2(x, a), dim=1)


idx = torch.randperm(n)
idx_train, idx_val = idx[:60], idx[60:]
model = GCN()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=5e-4)
for epoch in range(60):
    model.train()
    optimizer.zero_grad()
    output = model(features, a_hat)
    loss_train = F.nll_loss(output[idx_train], labels[idx_train])
    loss_train.backward()
    optimizer.step()
    if epoch % 15 == 14:
        model.eval()
        with torch.no_grad():
            acc = (model(features, a_hat)[idx_val].argmax(1) == labels[idx_val]).float().mean()
        print(epoch, round(loss_train.item(), 3), round(acc.item(), 3))
