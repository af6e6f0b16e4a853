"""Random training programs: of each a seed, run on PyTorch and on Kadam, and made smaller where the two differ.

A program is a model, a loss, an optimizer and a list of actions: whole steps, parts of steps, and whatever else people
do between them (clipping, views, changes in place, state dicts, NumPy, evaluation ...). `make fuzz` looks for programs
on which the two disagree.
"""

from __future__ import annotations

import argparse
import copy
import random
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

REFUSALS = (RuntimeError, ValueError, TypeError, KeyError, AttributeError)
LONGEST, BATCH, FEATURES, CLASSES = 9, 5, 6, 3


@dataclass(frozen=True)
class Action:
    """What a program does at one place: a method of `Life`, with a number from 0 to 1 and a seed to choose by."""

    name: str
    chance: float
    seed: int


@dataclass(frozen=True)
class Program:
    """A random program.

    Attributes:
        model, loss, optimizer: names of functions below.
        wide: whether it computes in float64.
        actions: in order. Loops repeat them, now and then with one replaced.
    """

    model: str
    loss: str
    optimizer: str
    wide: bool
    actions: tuple[Action, ...]


def program(seed: int) -> Program:
    """The program of a seed."""
    rng = random.Random(seed)
    body = [rng.choice(ACTIONS) for _ in range(rng.randint(3, LONGEST))]
    actions = []
    for _ in range(rng.randint(2, 5)):
        actions += [Action(name, rng.random(), rng.randrange(1000)) for name in body]
        if rng.random() < 0.5:
            body[rng.randrange(len(body))] = rng.choice(ACTIONS)
    return Program(
        rng.choice(sorted(MODELS)),
        rng.choice(sorted(LOSSES)),
        rng.choice(sorted(OPTIMIZERS)),
        rng.random() < 0.3,
        tuple(actions),
    )


# Models of FEATURES numbers a row, with CLASSES outputs


def _sequential(*kinds: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda t: t.nn.Sequential(*[kind(t.nn) for kind in kinds])


def _recurrent(kind: str) -> Callable[[Any], Any]:
    def build(t: Any) -> Any:
        class Reader(t.nn.Module):  # type: ignore[name-defined, misc]
            def __init__(self) -> None:
                super().__init__()
                self.cell = getattr(t.nn, kind)(2, 4, batch_first=True)
                self.out = t.nn.Linear(4, CLASSES)

            def forward(self, x: Any) -> Any:
                found, _ = self.cell(x.view(x.shape[0], FEATURES // 2, 2))
                return self.out(found[:, -1])

        return Reader()

    return build


def _attending(t: Any) -> Any:
    class Block(t.nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.attention = t.nn.MultiheadAttention(2, 1, batch_first=True)
            self.norm = t.nn.LayerNorm(FEATURES)
            self.out = t.nn.Linear(FEATURES, CLASSES)

        def forward(self, x: Any) -> Any:
            x = x.view(x.shape[0], FEATURES // 2, 2)
            return self.out(self.norm((x + self.attention(x, x, x)[0]).flatten(1)))

    return Block()


MODELS: dict[str, Callable[[Any], Any]] = {
    "linear": _sequential(lambda nn: nn.Linear(FEATURES, CLASSES)),
    "mlp": _sequential(lambda nn: nn.Linear(FEATURES, 4), lambda nn: nn.Tanh(), lambda nn: nn.Linear(4, CLASSES)),
    "normalised": _sequential(
        lambda nn: nn.Linear(FEATURES, 4, bias=False), lambda nn: nn.BatchNorm1d(4), lambda nn: nn.ReLU(),
        lambda nn: nn.Linear(4, CLASSES),
    ),
    "gelu": _sequential(
        lambda nn: nn.Linear(FEATURES, 5, bias=False), lambda nn: nn.LayerNorm(5), lambda nn: nn.GELU(),
        lambda nn: nn.Linear(5, CLASSES),
    ),
    "convolutional": _sequential(
        lambda nn: nn.Unflatten(1, (1, FEATURES)), lambda nn: nn.Conv1d(1, 3, 3, padding=1), lambda nn: nn.SiLU(),
        lambda nn: nn.MaxPool1d(2), lambda nn: nn.Flatten(), lambda nn: nn.Linear(FEATURES // 2 * 3, CLASSES),
    ),
    "lstm": _recurrent("LSTM"),
    "gru": _recurrent("GRU"),
    "attending": _attending,
}  # fmt: skip

LOSSES: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "squared": lambda t, out, targets, classes: ((out - targets) ** 2).mean(),
    "mse": lambda t, out, targets, classes: t.nn.functional.mse_loss(out, targets),
    "cross_entropy": lambda t, out, targets, classes: t.nn.functional.cross_entropy(out, classes),
    "nll": lambda t, out, targets, classes: t.nn.NLLLoss(reduction="sum")(out.log_softmax(1), classes),
    "huber": lambda t, out, targets, classes: t.nn.functional.huber_loss(out, targets) + 0.01 * out.abs().sum(),
    "bce": lambda t, out, targets, classes: t.nn.BCEWithLogitsLoss()(out, targets.sigmoid()),
}

# An eps well above the rounding errors of gradients that are zero, such as that of a bias before a normalisation.
OPTIMIZERS: dict[str, Callable[[Any, Any], Any]] = {
    "sgd": lambda o, params: o.SGD(params, lr=0.05),
    "momentum": lambda o, params: o.SGD(params, lr=0.05, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda o, params: o.SGD(params, lr=0.05, momentum=0.8, nesterov=True),
    "adam": lambda o, params: o.Adam(params, lr=0.02, eps=1e-2),
    "amsgrad": lambda o, params: o.Adam(params, lr=0.02, eps=1e-2, amsgrad=True, weight_decay=0.01),
    "adamw": lambda o, params: o.AdamW([{"params": params[:1], "lr": 0.01}, {"params": params[1:]}], lr=0.02, eps=1e-2),
    "rmsprop": lambda o, params: o.RMSprop(params, lr=0.01, eps=1e-2, momentum=0.5, centered=True),
    "adagrad": lambda o, params: o.Adagrad(params, lr=0.05, eps=1e-2),
}


class Life:
    """A program as it runs on one of the two: `t` is `torch` or `kadam`."""

    def __init__(self, t: Any, given: Program) -> None:
        self.t, self.given = t, given
        self.type = t.float64 if given.wide else t.float32
        self.model = MODELS[given.model](t).to(self.type)
        draw = np.random.default_rng(3)
        with t.no_grad():
            for param in self.model.parameters():
                param.copy_(t.tensor(draw.standard_normal(tuple(param.shape)) * 0.5))
        self.params = list(self.model.parameters())
        self.optimizer = OPTIMIZERS[given.optimizer](t.optim, self.params)
        self.other = t.optim.SGD(self.params[:1], lr=0.01)
        self.buffer = t.zeros(2, 2, dtype=self.type)
        self.loss: Any = None
        self.out: Any = None
        self.saved: Any = None
        self.held: list[Any] = []
        self.views: list[Any] = []
        self.arrays: list[Any] = []
        self.log: list[float] = []
        self.refused: list[tuple[int, str]] = []

    def run(self) -> tuple[list[tuple[int, str]], list[float], list[Any]]:
        """What was refused where, the numbers that were read on the way, and all that is left at the end."""
        for index, action in enumerate(self.given.actions):
            try:
                getattr(self, action.name)(action)
            except REFUSALS as error:
                kind = next(one.__name__ for one in REFUSALS if isinstance(error, one))
                self.refused.append((index, kind))
                self.loss, self.arrays = None, []  # how far a refused pass has come is each one's own affair
                self.model.zero_grad()
        return self.refused, self.log, self.left()

    def left(self) -> list[Any]:
        tensors = [*self.params, *self.model.buffers(), *self.held, *self.views, self.buffer]
        tensors += [param.grad for param in self.params if param.grad is not None]
        for param in self.params:
            if param in self.optimizer.state:
                remembered = sorted(self.optimizer.state[param].items())
                tensors += [value for _, value in remembered if isinstance(value, self.t.Tensor)]
        return [np.array(one.detach().numpy(), np.float64) for one in tensors] + [np.array(one) for one in self.arrays]

    def param(self, action: Action) -> Any:
        return self.params[action.seed % len(self.params)]

    def remembered(self, action: Action) -> list[Any]:
        kept = self.optimizer.state.get(self.param(action), {})
        return [kept[key] for key in sorted(kept) if key != "step" and isinstance(kept[key], self.t.Tensor)]

    # Parts of a step

    def forward(self, action: Action) -> None:
        draw = np.random.default_rng(action.seed)
        x = self.t.tensor(draw.standard_normal((BATCH, FEATURES)), dtype=self.type)
        targets = self.t.tensor(draw.standard_normal((BATCH, CLASSES)), dtype=self.type)
        classes = self.t.tensor(draw.integers(0, CLASSES, BATCH))
        self.out = self.model(x)
        self.loss = LOSSES[self.given.loss](self.t, self.out, targets, classes)

    def backward(self, action: Action) -> None:
        if self.loss is not None:
            self.loss.backward()

    def backward_twice(self, action: Action) -> None:
        self.forward(action)
        self.loss.backward(retain_graph=True)
        if action.chance < 0.5:
            self.loss.backward()

    def update(self, action: Action) -> None:
        self.optimizer.step()

    def zero_grad(self, action: Action) -> None:
        self.optimizer.zero_grad(set_to_none=action.chance < 0.7)

    def step(self, action: Action) -> None:
        self.forward(action)
        self.optimizer.zero_grad()
        self.loss.backward()
        self.optimizer.step()

    def accumulate(self, action: Action) -> None:
        for later in range(2):
            self.forward(replace(action, seed=action.seed + later))
            (self.loss / 2).backward()

    def update_other(self, action: Action) -> None:
        self.other.step()

    def schedule(self, action: Action) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] *= 0.5 + action.chance / 2

    # Looking on

    def read_loss(self, action: Action) -> None:
        if self.loss is not None:
            self.log.append(self.loss.item())

    def hold(self, action: Action) -> None:
        if self.loss is not None:
            self.held.append(self.out if action.chance < 0.5 else self.loss)

    def hold_gradient(self, action: Action) -> None:
        if self.param(action).grad is not None:
            self.held.append(self.param(action).grad)

    def drop(self, action: Action) -> None:
        self.held, self.views = ([] if action.chance < 0.5 else self.held), []

    def view(self, action: Action) -> None:
        param = self.param(action)
        self.views.append(param.detach() if action.chance < 0.5 else param[:1])

    def read_views(self, action: Action) -> None:
        self.log += [float(one.detach().sum()) for one in self.views]

    def as_numpy(self, action: Action) -> None:
        self.arrays.append(self.param(action).detach().numpy())

    def evaluate(self, action: Action) -> None:
        self.model.eval()
        with self.t.no_grad():
            self.forward(action)
        self.model.train()
        self.log.append(self.loss.item())
        self.loss = None

    def read_memory(self, action: Action) -> None:
        for one in self.remembered(action):
            self.log.append(float(one.sum()))
            if action.chance < 0.3:
                self.held.append(one)

    def use_memory(self, action: Action) -> None:
        self.held += [one.norm() for one in self.remembered(action)]

    # Changes in place

    def clip_norm(self, action: Action) -> None:
        self.log.append(float(self.t.nn.utils.clip_grad_norm_(self.params, 0.5)))

    def clip_value(self, action: Action) -> None:
        if any(param.grad is not None for param in self.params):
            self.t.nn.utils.clip_grad_value_(self.params, 0.05)

    def scale_gradient(self, action: Action) -> None:
        grad = self.param(action).grad
        if grad is not None:
            if action.chance < 0.5:
                grad.mul_(0.5)
            else:
                shared = grad.numpy()
                shared *= 0.5
                self.arrays.append(shared)

    def set_gradient(self, action: Action) -> None:
        param = self.param(action)
        param.grad = None if action.chance < 0.4 else self.t.ones_like(param) * 0.1

    def decay(self, action: Action) -> None:
        param = self.param(action)
        if action.chance < 0.5:
            param.data.mul_(0.9)
            self.loss = None  # a derivative would read the new values in PyTorch, the old ones in Kadam
            return
        with self.t.no_grad():
            param.sub_(0.01 * param) if param.grad is None else param.sub_(0.1 * param.grad)

    def overwrite(self, action: Action) -> None:
        param = self.param(action)
        with self.t.no_grad():
            param.copy_(param * 0.9 if action.chance < 0.5 else self.t.ones_like(param) * 0.1)

    def replace_memory(self, action: Action) -> None:
        param = self.param(action)
        self.views = []  # which memory they see is told by PyTorch's storages alone
        param.data = param.data.clone() * 0.8 if action.chance < 0.5 else param.detach() * 0.7

    def change_memory(self, action: Action) -> None:
        for one in self.remembered(action):
            if action.chance < 0.5:
                one.mul_(0.5)
            else:
                self.views.append(one.view(-1)[:1])

    def keep_mean(self, action: Action) -> None:
        if self.loss is not None:
            self.buffer.mul_(0.5).add_(self.loss.detach())
            self.log.append(float(self.buffer.sum()))

    def freeze(self, action: Action) -> None:
        self.param(action).requires_grad_(not self.param(action).requires_grad)

    # State

    def save(self, action: Action) -> None:
        self.saved = copy.deepcopy((self.model.state_dict(), self.optimizer.state_dict()))

    def load(self, action: Action) -> None:
        if self.saved is not None:
            self.model.load_state_dict(self.saved[0])
            self.optimizer.load_state_dict(copy.deepcopy(self.saved[1]))

    def copy_all(self, action: Action) -> None:
        twin, _ = copy.deepcopy((self.model, self.optimizer))
        self.held += list(twin.parameters())


_PARTS = [name for name, value in vars(Life).items() if callable(value) and name[0] != "_"]
ACTIONS = [name for name in _PARTS if name not in ("run", "left", "param", "remembered")] + ["step"] * 4


def difference(given: Program, torch: Any, kadam: Any) -> str | None:
    """How PyTorch and Kadam differ on a program; None if they do not."""
    expected, found = _lived(torch, given), _lived(kadam, given)
    if isinstance(expected, str) or isinstance(found, str):
        return None if expected == found else f"ended by {expected!r} and {found!r}"
    if expected[0] != found[0]:
        first = min(set(expected[0]) ^ set(found[0]))
        if first in expected[0] and "backward" in given.actions[first[0]].name:
            return None  # PyTorch saves more than its derivatives read, and minds if any of it has changed
        return f"refused at {expected[0]} and {found[0]}"
    tolerance = {"rtol": 1e-6, "atol": 1e-8} if given.wide else {"rtol": 4e-3, "atol": 2e-4}
    if not _near(expected[1], found[1], tolerance):
        return f"read {expected[1]} and {found[1]}"
    if len(expected[2]) != len(found[2]):
        return f"left {len(expected[2])} and {len(found[2])} tensors"
    for index, (one, other) in enumerate(zip(expected[2], found[2], strict=True)):
        if one.shape != other.shape or not _near(one, other, tolerance):
            return f"left as tensor {index}: {one.tolist()} and {other.tolist()}"
    return None


def _lived(t: Any, given: Program) -> Any:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        t.manual_seed(0)
        return Life(t, given).run()


def _near(one: Any, other: Any, tolerance: dict[str, float]) -> bool:
    return np.shape(one) == np.shape(other) and np.allclose(one, other, equal_nan=True, **tolerance)


def minimised(given: Program, differs: Callable[[Program], bool]) -> Program:
    """The program without the actions that the difference does not need."""
    index = 0
    while index < len(given.actions):
        smaller = replace(given, actions=given.actions[:index] + given.actions[index + 1 :])
        if differs(smaller):
            given = smaller
        else:
            index += 1
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Look for programs on which PyTorch and Kadam differ; how many there were is the exit code, 9 at most."""
    import torch

    import kadam

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    end, seed, found = time.monotonic() + given.seconds, given.first, 0
    while time.monotonic() < end and found < 9:
        if difference(program(seed), torch, kadam):
            found += 1
            small = minimised(program(seed), lambda one: difference(one, torch, kadam) is not None)
            print(f"seed {seed}: {difference(small, torch, kadam)}\n  {small}", flush=True)
        seed += 1
    print(f"{seed - given.first} programs, {found} on which Kadam differs from PyTorch")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
