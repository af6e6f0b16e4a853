# gradient descent by hand, each step makes new tensors
import torch

torch.manual_seed(0)
celsius = torch.linspace(-2, 4, 40)
reading = 1.8 * celsius + 3.2 + 0.1 * torch.randn(40)
params = torch.zeros(2, requires_grad=True)
step_size = 0.6


def model(p, c):
    return p[0] * c + p[1]


for epoch in range(60):
    loss = ((model(params, celsius) - reading) ** 2).mean()
    loss.backward()
    params = (params - step_size * params.grad).detach().requires_grad_()
    if epoch % 10 == 0:
        print("Epoch", epoch, "Loss", float(loss))
