"""Encoder and decoder as two modules, trained together."""

import itertools

import torch
import torch.nn as nn

torch.manual_seed(8)

basis = torch.randn(3, 16)
data = torch.randn(256, 3) @ basis / 2 + 0.05 * torch.randn(256, 16)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16, 12), nn.LeakyReLU(), nn.Linear(12, 4))

    def forward(self, x):
        return self.layers(x)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 12), nn.LeakyReLU(), nn.Linear(12, 16))

    def forward(self, code):
        restored = self.layers(code)
        return restored


encoder, decoder = Encoder(), Decoder()
params = itertools.chain(encoder.parameters(), decoder.parameters())
optimizer = torch.optim.Adam(params, lr=5e-3)
for epoch in range(20):
    for batch in data[torch.randperm(len(data))].split(64):
        code = encoder(batch)
        output = decoder(code)
        loss = nn.functional.mse_loss(output, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
