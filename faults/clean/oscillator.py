import torch
import torch.nn as nn

torch.manual_seed(123)
class FCN(nn.Module):
    def __init__(self, n_in, n_out, n_hidden, n_layers):
        super().__init__()
        act = nn.Tanh
        self.fcs = nn.Sequential(nn.Linear(n_in, n_hidden), act())
        self.fch = nn.Sequential(*[nn.Sequential(nn.Linear(n_hidden, n_hidden), act()) for _ in range(n_layers - 1)])
        self.fce = nn.Linear(n_hidden, n_out)
    def forward(self, x):
        return self.fce(self.fch(self.fcs(x)))

d, w0 = 2, 6
mu, k = 2 * d, w0 ** 2
t_boundary = torch.tensor(0.).view(-1, 1).requires_grad_(True)
t_physics = torch.linspace(0, 1, 30).view(-1, 1).requires_grad_(True)
pinn = FCN(1, 1, 24, 3)
optimiser = torch.optim.Adam(pinn.parameters(), lr=2e-3)
for i in range(150):
    optimiser.zero_grad()
    lambda1, lambda2 = 1e-1, 1e-3
    u = pinn(t_boundary)
    loss1 = (torch.squeeze(u) - 1) ** 2
    dudt = torch.autograd.grad(u, t_boundary, torch.ones_like(u), create_graph=True)[0]
    loss2 = (torch.squeeze(dudt) - 0) ** 2
    u = pinn(t_physics)
    dudt = torch.autograd.grad(u, t_physics, torch.ones_like(u), create_graph=True)[0]
    d2udt2 = torch.autograd.grad(dudt, t_physics, torch.ones_like(dudt), create_graph=True)[0]
    loss3 = torch.mean((d2udt2 + mu * dudt + k * u) ** 2)
    loss = loss1 + lambda1 * loss2 + lambda2 * loss3
    loss.backward()
    optimiser.step()
    if i % 50 == 0:
        print(i, loss.item())
