"""First values of parameters: how large random weights must be so that signals neither die out nor explode.

Every function fills its tensor in place, outside of autograd, and returns it. Those that draw take a `generator`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.errors import KadamError
from kadam.ops import draws, fill, random
from kadam.ops.draws import Draw, ElementTypeError, drawn_as, source_of
from kadam.recording.arguments import guarded
from kadam.recording.generator import Generator, default_generator
from kadam.recording.layout import is_contiguous
from kadam.recording.modes import no_grad
from kadam.recording.tensor import from_array

if TYPE_CHECKING:
    from kadam.ir.primitive import Array
    from kadam.tensor import Tensor

_LINEAR = (
    "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid"
)  # fmt: skip
_LIKELY = 0.3  # the share of a normal distribution inside the bounds from which redrawing it is quick


class InitError(KadamError, ValueError):
    """A tensor, or a parameter, that a way of initialising does not fit."""


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise InitError(message)


@no_grad()
def _write(tensor: Tensor, values: Array) -> Tensor:
    return fill.copy_(tensor, from_array(values))


# --- plain distributions and patterns ---------------------------------------------------------------------------------


@no_grad()
@guarded
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform numbers in [a, b)."""
    return random.uniform_(tensor, a, b, generator=generator)


@no_grad()
@guarded
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal numbers."""
    return random.normal_(tensor, mean, std, generator=generator)


@no_grad()
@guarded
def constant_(tensor: Tensor, val: float) -> Tensor:
    """`val` everywhere."""
    return fill.fill_(tensor, val)


@guarded
def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return constant_(tensor, 1.0)


@guarded
def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return constant_(tensor, 0.0)


@guarded
def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix: as many inputs as possible pass unchanged.

    Raises:
        InitError: the tensor is no matrix.
    """
    _require(
        tensor.dim() == 2,
        f"eye_: Only tensors with 2 dimensions are supported, got {tensor.dim()}. Fix: give a matrix.",
    )
    return _write(tensor, np.eye(*tensor.shape))


@guarded
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Kernels that let as many channels as possible of each group pass unchanged.

    Raises:
        InitError: the tensor is no convolution's weight, or its channels do not make so many groups.
    """
    _require(
        tensor.dim() in (3, 4, 5),
        f"dirac_: Only tensors with 3, 4, or 5 dimensions are supported, got {tensor.dim()}. Fix: give the weight of a "
        "convolution.",
    )
    outputs, inputs, *window = tensor.shape
    _require(
        outputs % groups == 0,
        f"dirac_: dim 0 must be divisible by groups, but {outputs} is not by {groups}. Fix: groups=1.",
    )
    per_group = outputs // groups
    middle = [size // 2 for size in window]
    values = np.zeros(tensor.shape, tensor.dtype.numpy)
    for group in range(groups):
        for passed in range(min(per_group, inputs)):
            values[(group * per_group + passed, passed, *middle)] = 1
    return _write(tensor, values)


# --- variance kept from layer to layer --------------------------------------------------------------------------------


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much larger weights make up for what a nonlinearity takes away.

    Raises:
        InitError: an unknown nonlinearity, or a slope that is no number.
    """
    if nonlinearity in _LINEAR:
        return 1
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        _require(
            isinstance(slope, int | float) and not isinstance(slope, bool),
            f"calculate_gain: negative_slope {param} not a valid number. Fix: param=0.01.",
        )
        return math.sqrt(2.0 / (1 + slope**2))
    gains = {"tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}
    _require(
        nonlinearity in gains,
        f"calculate_gain: Unsupported nonlinearity {nonlinearity}. Fix: one of "
        f"{', '.join([*_LINEAR, *gains, 'leaky_relu'])}.",
    )
    return gains[nonlinearity]


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs each output of a layer has, and how many outputs each input."""
    _require(
        tensor.dim() >= 2,
        f"init: Fan in and fan out can not be computed for tensor with fewer than 2 dimensions, got {tensor.dim()}. "
        "Fix: initialise vectors by zeros_ or uniform_.",
    )
    outputs, inputs, *window = tensor.shape
    taps = math.prod(window)
    return inputs * taps, outputs * taps


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    modes = ["fan_in", "fan_out"]
    _require(
        mode.lower() in modes, f"kaiming: Mode {mode} not supported, please use one of {modes}. Fix: mode='fan_in'."
    )
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]


def _xavier_std(tensor: Tensor, gain: float) -> float:
    return gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))


@guarded
def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform numbers in [-a, a), a = gain sqrt(6 / (fan_in + fan_out)).

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010).
    """
    bound = math.sqrt(3.0) * _xavier_std(tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


@guarded
def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal numbers, std = gain sqrt(2 / (fan_in + fan_out)). Source: as `xavier_uniform_`."""
    return normal_(tensor, 0.0, _xavier_std(tensor, gain), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _is_empty(tensor: Tensor) -> bool:
    if tensor.numel() == 0:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
    return tensor.numel() == 0


@guarded
def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform numbers in [-b, b), b = gain sqrt(3 / fan); `a` is the slope of a leaky ReLU.

    Source: He et al., "Delving Deep into Rectifiers" (2015).
    """
    if _is_empty(tensor):
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


@guarded
def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers, std = gain / sqrt(fan). Source: as `kaiming_uniform_`."""
    if _is_empty(tensor):
        return tensor
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


# --- truncated, orthogonal, sparse ------------------------------------------------------------------------------------


@guarded
def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers, drawn again until they are in [a, b]."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=2,
        )
    inside = _normal_share((b - mean) / std) - _normal_share((a - mean) / std)
    truncated = _redrawn if inside > _LIKELY else _rejected
    return _write(tensor, truncated(tensor, mean, std, a, b, source_of(generator)))


def _normal_share(x: float) -> float:
    """The share of a standard normal distribution below x."""
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _redrawn(tensor: Tensor, mean: float, std: float, a: float, b: float, source: Generator) -> Array:
    """Normal numbers, those outside of the bounds drawn again. (PyTorch then draws as many as there are in all.)"""
    kind = tensor.dtype.numpy
    draw = draws.normal(tensor.dtype, float(mean), float(std), source, is_contiguous(tensor))
    low, high = kind.type(a), kind.type(b)
    values = drawn_as(tensor, draw)
    while (outside := (values < low) | (values > high)).any():
        values = np.where(outside, drawn_as(tensor, draw), values)
    return values


def _rejected(tensor: Tensor, mean: float, std: float, a: float, b: float, source: Generator) -> Array:
    """Uniform numbers in the bounds, each kept with the probability that its density has relative to the highest."""
    kind = tensor.dtype.numpy
    candidate: Draw = draws.uniform(tensor.dtype, float(a), float(b), source)
    chance: Draw = draws.uniform(tensor.dtype, 0.0, 1.0, source)
    highest = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    values, pending = np.zeros(tensor.shape, kind), np.ones(tensor.shape, np.bool_)
    while pending.any():
        drawn = drawn_as(tensor, candidate)
        values = np.where(pending, drawn, values)
        deviation = (drawn - kind.type(mean)) / kind.type(std)
        density = deviation * deviation * kind.type(-0.5) - kind.type(highest)
        with np.errstate(divide="ignore"):
            pending &= np.log(drawn_as(tensor, chance)) > density
    return values


@guarded
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """A matrix with orthonormal rows or columns, times `gain`; axes after the first are one.

    Source: Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks" (2013);
        F. Mezzadri, "How to generate random matrices from the classical compact groups" (2007), for the signs.

    Raises:
        InitError: the tensor is a vector or a scalar.
        ElementTypeError: half precision, for which there is no decomposition.
    """
    _require(
        tensor.dim() >= 2,
        f"orthogonal_: Only tensors with 2 or more dimensions are supported, got {tensor.dim()}. Fix: initialise "
        "vectors by zeros_ or uniform_.",
    )
    if tensor.numel() == 0:
        return tensor
    record = tensor.dtype
    if record in (dtypes.float16, dtypes.bfloat16):
        raise ElementTypeError(
            f"orthogonal_: no QR decomposition of {record!r}. Fix: initialise in float32, then convert."
        )
    rows = tensor.shape[0]
    drawn = draws.normal(record, 0.0, 1.0, source_of(generator))((rows, tensor.numel() // rows))
    wide = rows < drawn.shape[1]
    q, r = np.linalg.qr(drawn.T if wide else drawn)
    q = q * np.sign(np.diagonal(r))
    return _write(tensor, ((q.T if wide else q) * record.numpy.type(gain)).reshape(tensor.shape))


@guarded
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Normal numbers, of which the share `sparsity` in each column is zero.

    The places of the zeros come from the default generator, as in PyTorch.

    Source: J. Martens, "Deep learning via Hessian-free optimization" (2010).

    Raises:
        InitError: the tensor is no matrix.
    """
    _require(
        tensor.dim() == 2,
        f"sparse_: Only tensors with 2 dimensions are supported, got {tensor.dim()}. Fix: give a matrix.",
    )
    rows, columns = tensor.shape
    draw = draws.normal(tensor.dtype, 0.0, float(std), source_of(generator), is_contiguous(tensor))
    values = drawn_as(tensor, draw)
    for column in range(columns):
        values[default_generator.permutation(rows)[: math.ceil(sparsity * rows)], column] = 0
    return _write(tensor, values)


# --- names from before PyTorch 0.4 ------------------------------------------------------------------------------------


def _deprecated(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    new = function.__name__
    old = new.removesuffix("_")

    @wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.", FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    renamed.__name__ = old
    renamed.__doc__ = f"The old name of `{new}`."
    return renamed


uniform, normal, constant = _deprecated(uniform_), _deprecated(normal_), _deprecated(constant_)
eye, dirac, orthogonal, sparse = _deprecated(eye_), _deprecated(dirac_), _deprecated(orthogonal_), _deprecated(sparse_)
xavier_uniform, xavier_normal = _deprecated(xavier_uniform_), _deprecated(xavier_normal_)
kaiming_uniform, kaiming_normal = _deprecated(kaiming_uniform_), _deprecated(kaiming_normal_)
