import torch
import torch.nn as nn

torch.manual_seed(17)
def real_batch(n):
    k = torch.randint(0, 6, (n,)) * (2 * torch.pi / 6)
    return torch.stack([k.cos(), k.sin()], 1) + 0.05 * torch.randn(n, 2)

G = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2))
D = nn.Sequential(nn.Linear(2, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1))
opt_G = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.5, 0.9))
opt_D = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.5, 0.9))
lambda_gp, n_critic, B = 10, 3, 64

def compute_gradient_penalty(D, real_samples, fake_samples):
    alpha = torch.rand(real_samples.size(0), 1)
    interpolates = (alpha * real_samples + (1 - alpha) * fake_samples).requires_grad_(True)
    d_interpolates = D(interpolates)
    gradients = torch.autograd.grad(
        outputs=d_interpolates, inputs=interpolates, grad_outputs=torch.ones_like(d_interpolates),
        retain_graph=True)[0]
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean()

for i in range(150):
    real = real_batch(B)
    opt_D.zero_grad()
    fake = G(torch.randn(B, 4))
    gp = compute_gradient_penalty(D, real, fake.detach())
    d_loss = -torch.mean(D(real)) + torch.mean(D(fake.detach())) + lambda_gp * gp
    d_loss.backward()
    opt_D.step()
    if i % n_critic == 0:
        opt_G.zero_grad()
        g_loss = -torch.mean(D(G(torch.randn(B, 4))))
        g_loss.backward()
        opt_G.step()
    if i % 30 == 0:
        print(i, d_loss.item(), g_loss.item())
