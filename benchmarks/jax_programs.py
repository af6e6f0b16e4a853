"""The main workloads in JAX, written by hand: a loss per workload, one Adam, one SGD, and two ways to run a step.

Parameters keep PyTorch's names; weights lie as is usual in JAX, inputs before outputs, turned once at the start.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, nn

Params = dict[str, jax.Array]
Loss = Callable[[Params, jax.Array, jax.Array], jax.Array]


def linear(p, name, x):
    return x @ p[f"{name}.weight"] + p[f"{name}.bias"]


def conv(p, name, x, stride=1, padding="VALID"):
    return lax.conv_general_dilated(
        x, p[f"{name}.weight"], (stride, stride), padding, dimension_numbers=("NCHW", "OIHW", "NCHW")
    )


def cross_entropy(logits, y):
    return -jnp.take_along_axis(nn.log_softmax(logits), y[..., None], axis=-1).mean()


def lesson(p, x, y):
    return jnp.mean((x @ p["weight"] + p["bias"] - y) ** 2)


def sigmoid(p, x, y):
    out = nn.sigmoid(linear(p, "2", nn.sigmoid(linear(p, "0", x))))
    return -jnp.mean(y * jnp.log(out) + (1 - y) * jnp.log(1 - out))


def mlp(p, x, y):
    hidden = nn.relu(linear(p, "2", nn.relu(linear(p, "0", x))))
    return cross_entropy(linear(p, "4", hidden), y)


def cnn(p, x, y):
    for name in ("conv1", "conv2"):
        x = nn.relu(conv(p, name, x) + p[f"{name}.bias"][:, None, None])
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    x = nn.relu(linear(p, "fc1", x.reshape(len(x), -1)))
    return cross_entropy(linear(p, "fc2", x), y)


def layer_norm(p, name, x):
    mean = x.mean(-1, keepdims=True)
    var = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(var + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def attention(p, name, x, heads=4):
    batch, length, width = x.shape
    qkv = linear(p, f"{name}.qkv", x).reshape(batch, length, 3, heads, width // heads)
    q, k, v = jnp.moveaxis(qkv, 2, 0)
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(width // heads)
    weights = nn.softmax(jnp.where(np.tril(np.ones((length, length), bool)), scores, -jnp.inf))
    return linear(p, f"{name}.proj", jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(batch, length, width))


def gpt(p, x, y, layers=4):
    h = p["tokens.weight"][x] + p["positions.weight"][: x.shape[1]]
    for i in range(layers):
        h = h + attention(p, f"blocks.{i}.attn", layer_norm(p, f"blocks.{i}.ln1", h))
        inner = linear(p, f"blocks.{i}.mlp.0", layer_norm(p, f"blocks.{i}.ln2", h))
        h = h + linear(p, f"blocks.{i}.mlp.2", nn.gelu(inner, approximate=False))
    return cross_entropy(layer_norm(p, "ln", h) @ p["head.weight"], y)


def lstm(p, x, y):
    inputs = x @ p["rnn.weight_ih_l0"] + p["rnn.bias_ih_l0"] + p["rnn.bias_hh_l0"]

    def cell(state, step):
        h, c = state
        i, f, g, o = jnp.split(step + h @ p["rnn.weight_hh_l0"], 4, axis=1)
        c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
        return (nn.sigmoid(o) * jnp.tanh(c), c), None

    zeros = jnp.zeros((len(x), p["rnn.weight_hh_l0"].shape[0]))
    (h, _), _ = lax.scan(cell, (zeros, zeros), inputs.swapaxes(0, 1))
    return cross_entropy(linear(p, "fc", h), y)


def batch_norm(p, name, x):
    """As in training; running averages, which the loss does not depend on, are left out."""
    mean = x.mean((0, 2, 3), keepdims=True)
    var = ((x - mean) ** 2).mean((0, 2, 3), keepdims=True)
    normal = (x - mean) * lax.rsqrt(var + 1e-5)
    return normal * p[f"{name}.weight"][:, None, None] + p[f"{name}.bias"][:, None, None]


def resnet(p, x, y):
    same = ((1, 1), (1, 1))
    x = nn.relu(batch_norm(p, "bn", conv(p, "conv", x, 1, same)))
    for i, stride in enumerate((1, 2, 2)):
        name = f"stages.{i}"
        out = nn.relu(batch_norm(p, f"{name}.bn1", conv(p, f"{name}.conv1", x, stride, same)))
        out = batch_norm(p, f"{name}.bn2", conv(p, f"{name}.conv2", out, 1, same))
        if stride != 1:
            x = batch_norm(p, f"{name}.shortcut.1", conv(p, f"{name}.shortcut.0", x, stride))
        x = nn.relu(out + x)
    return cross_entropy(linear(p, "fc", x.mean((2, 3))), y)


class Optimizer(NamedTuple):
    """`slots` arrays like each parameter, and the rule that moves a parameter and them."""

    slots: int
    update: Callable


def sgd(lr: float, momentum: float = 0.0, weight_decay: float = 0.0) -> Optimizer:
    def update(w, grad, slots, t):
        if weight_decay:
            grad = grad + weight_decay * w
        if not momentum:
            return w - lr * grad, ()
        velocity = momentum * slots[0] + grad
        return w - lr * velocity, (velocity,)

    return Optimizer(1 if momentum else 0, update)


def adam(lr: float, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Optimizer:
    def update(w, grad, slots, t):
        m, v = b1 * slots[0] + (1 - b1) * grad, b2 * slots[1] + (1 - b2) * grad * grad
        return w - lr / (1 - b1**t) * m / (jnp.sqrt(v) / jnp.sqrt(1 - b2**t) + eps), (m, v)

    return Optimizer(2, update)


PROGRAMS: dict[str, tuple[Loss, Optimizer]] = {
    "lesson": (lesson, sgd(0.01)),
    "sigmoid": (sigmoid, sgd(0.5)),
    "mlp_small": (mlp, adam(1e-3)),
    "mlp_digits": (mlp, adam(1e-3)),
    "mlp_wide": (mlp, adam(1e-3)),
    "cnn": (cnn, adam(1e-3)),
    "gpt": (gpt, adam(3e-4)),
    "lstm": (lstm, adam(1e-3)),
    "resnet": (resnet, sgd(0.01, 0.9, 5e-4)),
}
NOT_TRAINED = ("mask", "running_mean", "running_var", "num_batches_tracked")
NOT_TURNED = ("tokens.weight", "positions.weight")


class PerCall:
    """A jitted function per step, whose loss is read at every step."""

    def __init__(self, program: tuple[Loss, Optimizer], start: str) -> None:
        loss, optimizer = program
        arrays = dict(np.load(start))
        self.data = arrays.pop("x"), arrays.pop("y")
        if self.data[1].dtype == np.int64:
            self.data = self.data[0], self.data[1].astype(np.int32)
        self.weights = {
            name: array.T.copy() if array.ndim == 2 and name not in NOT_TURNED else array
            for name, array in arrays.items()
            if not name.endswith(NOT_TRAINED)
        }
        self.slots, self.step = optimizer.slots, jax.jit(self._step_of(loss, optimizer.update), donate_argnums=0)

    @staticmethod
    def _step_of(loss: Loss, update: Callable) -> Callable:
        def step(state, x, y):
            params, slots, t = state
            value, grads = jax.value_and_grad(loss)(params, x, y)
            moved = {name: update(params[name], grads[name], slots[name], t + 1) for name in params}
            return ({n: w for n, (w, _) in moved.items()}, {n: s for n, (_, s) in moved.items()}, t + 1), value

        return step

    def restart(self) -> None:
        params = {name: jnp.array(array) for name, array in self.weights.items()}
        slots = {name: tuple(jnp.zeros_like(w) for _ in range(self.slots)) for name, w in params.items()}
        self.x, self.y = map(jnp.array, self.data)
        self.state = jax.block_until_ready((params, slots, jnp.zeros(())))

    def train(self, steps: int) -> list[float]:
        losses = []
        for _ in range(steps):
            self.state, loss = self.step(self.state, self.x, self.y)
            losses.append(float(loss))
        return losses


class Scan(PerCall):
    """All steps in one call: `lax.scan` over the same step."""

    @partial(jax.jit, static_argnums=(0, 4), donate_argnums=1)
    def _scan(self, state, x, y, steps):
        return lax.scan(lambda state, _: self.step(state, x, y), state, length=steps)

    def train(self, steps: int) -> list[float]:
        self.state, losses = self._scan(self.state, self.x, self.y, steps)
        return np.asarray(losses).tolist()
