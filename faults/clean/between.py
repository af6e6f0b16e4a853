import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(7)


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.fc1 = nn.Linear(10, 40)
        self.fc2 = nn.Linear(40, 4)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        return F.log_softmax(self.fc2(x), dim=1)


def train(model, optimizer, x, y):
    model.train()
    output = model(x)
    loss = F.nll_loss(output, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
inputs = torch.randn(200, 10)
target = inputs[:, :4].argmax(1)
for epoch in range(30):
    now = train(model, optimizer, inputs, target)
print("final", now)
