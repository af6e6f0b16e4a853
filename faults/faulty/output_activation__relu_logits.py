"""No nn.Module: the parameters are a list of tensors."""
import torch
import torch.nn.functional as F

torch.manual_seed(17)


def init(fan_in, fan_out):
    w = torch.randn(fan_out, fan_in) * (2.0 / fan_in) ** 0.5
    return w.requires_grad_(), torch.zeros(fan_out, requires_grad=True)


w1, b1 = init(5, 20)
w2, b2 = init(20, 20)
w3, b3 = init(20, 2)
params = [w1, b1, w2, b2, w3, b3]
adam = torch.optim.Adam(params, lr=4e-3)


def predict(x):
    h = F.relu(F.linear(x, w1, b1))
    h = F.relu(F.linear(h, w2, b2))
    return F.relu(F.linear(h, w3, b3))


for i in range(150):
    x = torch.randn(40, 5)
    y = (x.prod(dim=1) + x[:, 0] > 0).long()
    adam.zero_grad()
    out = predict(x)
    loss = F.cross_entropy(out, y)
    loss.backward()
    adam.step()
    if i % 30 == 0:
        print(i, "%.4f" % loss.item())
