"""Training loops of many kinds, for what explanations must get right: each trains two or three steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import kadam as torch
from kadam import nn

F = nn.functional
LOOPS: dict[str, Callable[[], None]] = {}


def loop(function: Callable[[], None]) -> Callable[[], None]:
    """Register a training loop under its name."""
    LOOPS[function.__name__] = function
    return function


def fit(model: nn.Module, inputs: tuple[torch.Tensor, ...], target: torch.Tensor, criterion: Any) -> None:
    """Two steps of Adam."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        loss = criterion(model(*inputs), target)
        loss.backward()
        optimizer.step()
        loss.item()


@loop
def convolutional() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, stride=2, groups=2), nn.GroupNorm(2, 6), nn.GELU(), nn.Flatten(), nn.Linear(6, 5),
    )  # fmt: skip
    fit(model, (torch.randn(3, 1, 8, 8),), torch.randint(0, 5, (3,)), nn.CrossEntropyLoss())


class LastOut(nn.Module):
    def __init__(self, reader: nn.Module, width: int) -> None:
        super().__init__()
        self.reader, self.out = reader, nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.reader(x)[0][:, -1])


@loop
def lstm() -> None:
    model = LastOut(nn.LSTM(3, 4, num_layers=2, batch_first=True), 4)
    fit(model, (torch.randn(3, 4, 3),), torch.randn(3, 1), nn.MSELoss())


@loop
def both_ways() -> None:
    model = LastOut(nn.LSTM(3, 4, batch_first=True, bidirectional=True), 8)
    fit(model, (torch.randn(3, 4, 3),), torch.randn(3, 1), nn.HuberLoss())


@loop
def gru() -> None:
    fit(LastOut(nn.GRU(3, 4, batch_first=True), 4), (torch.randn(3, 4, 3),), torch.randn(3, 1), nn.SmoothL1Loss())


class Tied(nn.Module):
    """A transformer whose head is its embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(11, 8), nn.Parameter(torch.randn(5, 8) * 0.1)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True, norm_first=True)
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.block(self.tokens(x) + self.places)).flatten(0, 1)


@loop
def transformer() -> None:
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    fit(Tied(), (torch.randint(0, 11, (3, 5)),), torch.randint(0, 11, (15,)), criterion)


class Repeated(nn.Module):
    """One layer, three times."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.out = nn.Linear(4, 4), nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(3):
            x = self.cell(x).tanh()
        return self.out(x)


@loop
def shared_weights() -> None:
    fit(Repeated(), (torch.randn(5, 4),), torch.randn(5, 1), nn.MSELoss())


@loop
def vae() -> None:
    encoder, mean, spread = nn.Linear(6, 5), nn.Linear(5, 2), nn.Linear(5, 2)
    decoder = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 6))
    parts = nn.ModuleList([encoder, mean, spread, decoder])
    optimizer, x = torch.optim.AdamW(parts.parameters(), lr=0.01), torch.rand(7, 6)
    for _ in range(2):
        hidden = encoder(x).relu()
        mu, logvar = mean(hidden), spread(hidden)
        drawn = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        loss = F.binary_cross_entropy_with_logits(decoder(drawn), x, reduction="sum")
        loss = loss - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()


@loop
def gan() -> None:
    """The generator's forward pass is in the discriminator's step."""
    maker = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2))
    judge = nn.Sequential(nn.Linear(2, 6), nn.LeakyReLU(0.2), nn.Linear(6, 1))
    makers, judges = (torch.optim.Adam(one.parameters(), lr=0.01) for one in (maker, judge))
    criterion = nn.BCEWithLogitsLoss()
    for turn in range(2):
        fake = maker(torch.randn(4, 3))
        judges.zero_grad()
        found = criterion(judge(torch.randn(4, 2) + 2), torch.ones(4, 1))
        found = found + criterion(judge(fake.detach()), torch.zeros(4, 1))
        found.backward()
        judges.step()
        if turn:
            found.item()
        makers.zero_grad()
        fooled = criterion(judge(fake), torch.ones(4, 1))
        fooled.backward()
        makers.step()
        fooled.item()


@loop
def policy() -> None:
    """REINFORCE: actions are read between the forward passes."""
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    optimizer, draws = torch.optim.RMSprop(model.parameters(), lr=0.01), np.random.default_rng(0)
    for _ in range(2):
        logs, rewards = [], []
        for _ in range(4):
            seen = torch.tensor(draws.standard_normal(4).astype(np.float32))
            choice = torch.distributions.Categorical(logits=model(seen))
            action = choice.sample()
            logs.append(choice.log_prob(action))
            rewards.append(float(action.item()) - 0.3)
        loss = -(torch.stack(logs) * torch.tensor(rewards)).sum()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        loss.item()


@loop
def closures() -> None:
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=3)
    x, y = torch.randn(6, 2), torch.randn(6, 1)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        return loss

    optimizer.step(closure)


@loop
def accumulated() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    for turn in range(6):
        loss = F.mse_loss(model(torch.randn(4, 4)), torch.randn(4, 1)) / 3
        loss.backward()
        loss.item()
        if turn % 3 == 2:
            optimizer.step()
            optimizer.zero_grad()


@loop
def accumulated_unread() -> None:
    """Nothing is read between the backward passes, whose gradients are updated within one recording."""
    model = nn.Sequential(nn.Linear(3, 5), nn.ELU(), nn.Dropout(0.3), nn.Linear(5, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, amsgrad=True)
    for turn in range(8):
        loss = nn.L1Loss()(model(torch.randn(3, 3)), torch.randn(3, 2)) / 4
        loss.backward()
        if turn % 4 == 3:
            nn.utils.clip_grad_value_(model.parameters(), 0.05)
            optimizer.step()
            optimizer.zero_grad()


@loop
def given_gradients() -> None:
    """Backward passes that begin with gradients of the program's own, from one value and from two."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    optimizer, x = torch.optim.SGD(model.parameters(), lr=0.1), torch.randn(5, 3)
    for _ in range(2):
        out = model(x)
        optimizer.zero_grad()
        out.backward(gradient=torch.full_like(out, 0.1) * out.detach().sign())
        optimizer.step()
        out.sum().item()
    first, second = model(x).square().mean(), model(x).abs().sum()
    optimizer.zero_grad()
    torch.autograd.backward([first, second], [torch.tensor(2.0), torch.tensor(-0.5)])
    optimizer.step()
    first.item()


@loop
def hooked() -> None:
    """Hooks that change gradients: of a weight, and of a value on the way, of which another path leads past."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    optimizer, x, y = torch.optim.SGD(model.parameters(), lr=0.1), torch.randn(5, 3), torch.randn(5, 2)
    model[0].weight.register_hook(lambda gradient: gradient * 0.5)
    model[0].weight.register_hook(lambda gradient: gradient + 0.01)
    for _ in range(2):
        begun = model[0](x)
        hidden = model[1](begun)
        hidden.register_hook(lambda gradient: gradient.clamp(-0.05, 0.05))
        loss = F.mse_loss(model[2](hidden), y) + 0.1 * begun.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return gradient * 3 * x**2


class Cubed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.Linear(3, 4), nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.after(Cube.apply(self.before(x)))


@loop
def own_function() -> None:
    fit(Cubed(), (torch.randn(5, 3),), torch.randn(5, 1), nn.MSELoss())


@loop
def without_modules() -> None:
    w1, b1, w2 = torch.randn(3, 4), torch.zeros(4), torch.randn(4, 1)
    weights = [one.requires_grad_() for one in (w1, b1, w2)]
    x, y = torch.randn(5, 3), torch.randn(5, 1)
    for _ in range(2):
        loss = ((torch.relu(x @ w1 + b1) @ w2 - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for one in weights:
                one -= 0.1 * one.grad
                one.grad = None
        loss.item()


@loop
def penalty() -> None:
    """A gradient within the loss."""
    model = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(2):
        x = torch.randn(4, 2).requires_grad_()
        out = model(x)
        (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
        loss = out.mean() + 10 * ((slope.norm(2, dim=1) - 1) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()


class Three(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Embedding(7, 4, padding_idx=0)
        self.c, self.out = nn.Bilinear(3, 2, 4), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor, row: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return self.out((self.a(x) + self.b(row) + self.c(x, z)).sigmoid())


@loop
def three_inputs() -> None:
    inputs = torch.randn(5, 3), torch.randint(0, 7, (5,)), torch.randn(5, 2)
    fit(Three(), inputs, torch.rand(5, 2), nn.BCEWithLogitsLoss())


@loop
def normalized() -> None:
    model = nn.Sequential(
        nn.Linear(4, 6), nn.LayerNorm(6), nn.PReLU(), nn.BatchNorm1d(6), nn.SiLU(), nn.Dropout(0.2), nn.RMSNorm(6),
        nn.Linear(6, 3), nn.LogSoftmax(-1),
    )  # fmt: skip
    fit(model, (torch.randn(8, 4),), torch.randint(0, 3, (8,)), nn.NLLLoss())


@loop
def two_losses() -> None:
    trunk, number, kind = nn.Linear(3, 4), nn.Linear(4, 1), nn.Linear(4, 2)
    parts = nn.ModuleList([trunk, number, kind])
    optimizer = torch.optim.SGD(parts.parameters(), lr=0.1)
    for _ in range(2):
        hidden = trunk(torch.randn(5, 3)).tanh()
        first, second = number(hidden).square().mean(), F.cross_entropy(kind(hidden), torch.randint(0, 2, (5,)))
        optimizer.zero_grad()
        first.backward(retain_graph=True)
        second.backward()
        optimizer.step()
        first.item()


@loop
def half_precision() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.mse_loss(model(torch.randn(6, 4)).float(), torch.randn(6, 1))
        loss.backward()
        optimizer.step()
        loss.item()
