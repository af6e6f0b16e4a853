"""What may be drawn: distributions, their parameters checked, as functions from a shape to random numbers."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.dtypes import BOOL, COMPLEX, FLOAT, INTEGER, dtype
from kadam.errors import DTypeError, KadamError, OperandError
from kadam.recording.generator import Generator, default_generator
from kadam.recording.layout import strides_of
from kadam.recording.order import axes_by_stride
from kadam.shapes import Shape

if TYPE_CHECKING:
    from kadam.ir.primitive import Array
    from kadam.tensor import Tensor

Draw = Callable[[Shape], "Array"]

_DIGITS = {dtypes.float16: 11, dtypes.bfloat16: 8, dtypes.float32: 24, dtypes.float64: 53}
_WIDE = (dtypes.int64, dtypes.float64, dtypes.float32, dtypes.bfloat16)  # what the whole of int64 is drawn in
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1  # of int64, in which PyTorch holds the bounds of whole numbers


class DistributionError(KadamError, RuntimeError):
    """Parameters of which there is no distribution."""


class ElementTypeError(DTypeError, NotImplementedError):
    """An element type that a distribution has no numbers of."""


def require(holds: Any, message: str) -> None:
    """Raise unless the parameters of a distribution are what they must be.

    Raises:
        DistributionError: they are not.
    """
    if not holds:
        raise DistributionError(message)


def source_of(generator: Generator | None) -> Generator:
    """The generator to draw from: by default the one that `manual_seed` seeds.

    Raises:
        OperandError: it is no generator.
    """
    if generator is None:
        return default_generator
    if not isinstance(generator, Generator):
        raise OperandError(
            f"generator must be a Generator or None, not {type(generator).__name__}. Fix: "
            "generator=torch.Generator().manual_seed(0)."
        )
    return generator


def require_type(name: str, record: dtype, *categories: int) -> None:
    """Raise unless the element type is of one of the categories.

    Raises:
        ElementTypeError: it is not.
    """
    if record.category not in categories:
        raise ElementTypeError(f"{name} is not implemented for {record!r}. Fix: draw in floating point.")


def drawn_as(tensor: Tensor, draw: Draw) -> Array:
    """Numbers in the shape of a tensor, drawn in the order in which the tensor lies in memory.

    PyTorch fills memory from its beginning to its end, whatever the order of the axes.
    """
    shape, strides = tuple(tensor.shape), strides_of(tensor)
    order = axes_by_stride(shape, strides)
    return draw(tuple(shape[axis] for axis in order)).transpose(np.argsort(order))


def uniform(kind: dtype, low: float, high: float, source: Generator) -> Draw:
    """Uniform numbers in [low, high).

    Raises:
        DistributionError: the bounds are in the wrong order or too large for the element type.
    """
    require_type("uniform_", kind, FLOAT, COMPLEX)
    largest = _largest_float(kind)
    require(abs(low) <= largest, f"uniform_: from is out of bounds for {kind!r}. Fix: a smaller bound.")
    require(abs(high) <= largest, f"uniform_: to is out of bounds for {kind!r}. Fix: a smaller bound.")
    require(
        low <= high,
        f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}. Fix: exchange them.",
    )
    require(
        high - low <= largest,
        f"uniform_ expects to-from <= {largest:g}, the largest {kind!r}, but found to={high:g} and from={low:g}. Fix: "
        "smaller bounds.",
    )
    return lambda shape: source.uniform(shape, low, high, kind.numpy)


@cache
def _largest_float(kind: dtype) -> float:
    return dtypes.finfo(kind).max


def normal(kind: dtype, mean: float, std: float, source: Generator, contiguous: bool = True) -> Draw:
    """Normal numbers, for memory that is contiguous or not.

    Raises:
        DistributionError: `std` is negative.
    """
    require(std >= 0, f"normal expects std >= 0.0, but found std {std:g}. Fix: std=1.0.")
    require_type("normal_", kind, FLOAT, COMPLEX)
    return lambda shape: source.normal(shape, mean, std, kind.numpy, contiguous)


def any_integers(kind: dtype, source: Generator) -> Draw:
    """Whole numbers from 0 to the largest that the element type counts to."""
    require_type("random_", kind, BOOL, INTEGER, FLOAT)
    if kind in (dtypes.uint16, dtypes.uint32, dtypes.uint64):
        raise ElementTypeError(f"random_ is not implemented for {kind!r}. Fix: give it the bounds.")
    return lambda shape: source.random(shape, kind.numpy)


def integers(kind: dtype, low: int, high: int | None, source: Generator) -> Draw:
    """Whole numbers in [low, high); without `high`, up to the largest that the element type counts to.

    Raises:
        DistributionError: the range is empty or does not fit the element type.
    """
    require_type("random_", kind, BOOL, INTEGER, FLOAT)
    first = operator.index(low)
    last = largest_integer(kind) if high is None else operator.index(high) - 1
    if high is None and first == _LEAST and kind in _WIDE:
        last = _MOST  # all of int64, then rounded
    else:
        require(
            first <= last,
            f"random_ expects 'from' to be less than 'to', but got from={first} >= to={last + 1}. Fix: exchange them.",
        )
        _require_fits(first, last, kind)
        if kind.category == FLOAT:
            first, last = _countable(first, last, kind)
    return lambda shape: source.integers(first, last + 1, shape, kind.numpy)


def largest_integer(kind: dtype) -> int:
    """The largest whole number of an integer type; of a float type, the largest to which it counts in ones."""
    if kind.category == FLOAT:
        return 1 << _DIGITS[kind]
    return 1 if kind.category == BOOL else int(np.iinfo(kind.numpy).max)


def _require_fits(first: int, last: int, kind: dtype) -> None:
    least, most = 0, largest_integer(kind)
    if kind.category == FLOAT:
        most = int(_largest_float(kind))
        least = -most
    elif kind.category == INTEGER:
        least, most = int(np.iinfo(kind.numpy).min), min(most, _MOST)
    require(least <= first <= most, f"random_: from={first} is out of bounds for {kind!r}. Fix: from {least} on.")
    require(
        least <= last <= most, f"random_: to - 1 = {last} is out of bounds for {kind!r}. Fix: to={most + 1} at most."
    )


def _countable(first: int, last: int, kind: dtype) -> tuple[int, int]:
    """The bounds, moved inwards to numbers that a float type has, so that rounding never leads out of the range."""
    digits = _DIGITS[kind]
    for name, bound in (("from", first), ("to - 1", last)):
        if abs(bound) > 1 << digits:
            warnings.warn(
                f"{name} is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision limitations {kind!r} can "
                "support discrete uniform distribution only within this range.",
                stacklevel=4,
            )
    above, below = (int(kind.numpy.type(bound)) for bound in (first + 1, last))
    if above < first:
        first = above + (1 << (abs(first + 1).bit_length() - digits))
    if below > last:
        last = below - (1 << (abs(last).bit_length() - digits)) - 1
    require(
        first <= last,
        f"random_ expects 'from' to be less than 'to': {kind!r} has no such number between them. Fix: bounds further "
        "apart.",
    )
    return first, last


def bernoulli(kind: dtype, p: float, source: Generator) -> Draw:
    """True with probability p.

    Raises:
        DistributionError: `p` is not in [0, 1].
    """
    require_type("bernoulli_", kind, BOOL, INTEGER, FLOAT)
    require(0 <= p <= 1, f"bernoulli_ expects p to be in [0, 1], but got p={p:g}. Fix: p=0.5.")
    return lambda shape: source.bernoulli(shape, p)


def bernoulli_each(kind: dtype, chances: Array, source: Generator) -> Draw:
    """True with a probability of its own for each number; the values are laid out as the numbers are to be drawn.

    Raises:
        ElementTypeError: the probabilities are no floating-point numbers.
        DistributionError: one is outside [0, 1].
    """
    require_type("bernoulli", kind, FLOAT)
    outside = chances[~((chances >= 0) & (chances <= 1))]
    require(
        not outside.size,
        f"bernoulli: every probability must be in [0, 1], but one is {outside.flat[0] if outside.size else 0:g}. Fix: "
        "sigmoid() the scores.",
    )
    return lambda shape: source.bernoulli(shape, chances)


def exponential(kind: dtype, rate: float, source: Generator) -> Draw:
    """Waiting times between events of the given rate.

    Raises:
        DistributionError: the rate is not positive.
    """
    require(rate > 0, f"exponential_ expects lambda > 0.0, but found lambda={rate:g}. Fix: a rate above 0.")
    require_type("exponential_", kind, FLOAT)
    return lambda shape: source.exponential(shape, rate, kind.numpy)


def geometric(kind: dtype, p: float, source: Generator) -> Draw:
    """How many trials of probability p the first success takes.

    Raises:
        DistributionError: `p` is not in (0, 1).
    """
    require(0 < p < 1, f"geometric_ expects p to be in (0, 1), but got p={p:g}. Fix: p=0.5.")
    require_type("geometric_", kind, INTEGER, FLOAT)
    return lambda shape: source.geometric(shape, p, kind.numpy)


def log_normal(kind: dtype, mean: float, std: float, source: Generator) -> Draw:
    """Numbers whose logarithm is normal.

    Raises:
        DistributionError: `std` is not positive.
    """
    require(std > 0, f"log_normal_ expects std > 0.0, but found std={std:g}. Fix: std=1.0.")
    require_type("log_normal_", kind, FLOAT)
    return lambda shape: source.log_normal(shape, mean, std, kind.numpy)


def cauchy(kind: dtype, median: float, sigma: float, source: Generator) -> Draw:
    """Cauchy numbers.

    Raises:
        DistributionError: `sigma` is not positive.
    """
    require(sigma > 0, f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}. Fix: sigma=1.0.")
    require_type("cauchy_", kind, FLOAT)
    return lambda shape: source.cauchy(shape, median, sigma, kind.numpy)
