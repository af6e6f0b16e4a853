"""Random tensors, memory filled with random numbers, and the seeds and states of the generator.

Each draw happens at once, at its place in the generator's sequence.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

import numpy as np

from kadam import dtypes
from kadam.device import cpu, is_meta
from kadam.dtypes import FLOAT, dtype
from kadam.errors import DTypeError, NoMemoryError, OperandError, ShapeError
from kadam.layouts import contiguous_format
from kadam.ops import draws
from kadam.ops.creation import finished
from kadam.ops.draws import Draw, drawn_as, require, require_type, source_of
from kadam.ops.fill import copy_
from kadam.ops.require import ArgumentError
from kadam.ops.shape import sizes_of
from kadam.recording.arguments import check_arguments, guarded
from kadam.recording.generator import Generator, default_generator
from kadam.recording.layout import is_contiguous, strides_of
from kadam.recording.memory import covered
from kadam.recording.meta import of_shape
from kadam.recording.order import axes_by_stride
from kadam.recording.step import state
from kadam.recording.succession import renew_memory
from kadam.recording.tensor import Recorded, check_writable, from_array, read
from kadam.shapes import Shape, broadcast

if TYPE_CHECKING:
    from kadam.ir.primitive import Array
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor

_MOST_CATEGORIES = 1 << 24


# --- seeds and states -------------------------------------------------------------------------------------------------


@guarded
def manual_seed(seed: Any) -> Generator:
    """Start the default generator's sequence that belongs to `seed`. As `torch.manual_seed`."""
    try:
        number = int(seed)
    except (TypeError, ValueError) as error:
        kind = OperandError if isinstance(error, TypeError) else ArgumentError
        raise kind(f"manual_seed: the seed must be int, not {seed!r}. Fix: torch.manual_seed(0).") from None
    return default_generator.manual_seed(number)


def seed() -> int:
    """Start a sequence of the default generator that nobody can foresee; returns its seed. As `torch.seed`."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that started the default generator's sequence. As `torch.initial_seed`."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator. As `torch.get_rng_state`."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Let the default generator continue from a state. As `torch.set_rng_state`."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(
    devices: object = None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: str | None = None,
) -> Iterator[None]:
    """What is drawn inside leaves no trace in the default generator. As `torch.random.fork_rng`."""
    state = default_generator.state_bytes()
    try:
        yield
    finally:
        if enabled:
            default_generator.set_state_bytes(state)


# --- memory filled in place -------------------------------------------------------------------------------------------


def _fill(tensor: Tensor, draw: Draw) -> Tensor:
    check_writable(tensor)
    if tensor._meta:
        return tensor
    return copy_(tensor, from_array(drawn_as(tensor, draw)))


def _bounds(name: str, values: tuple[Any, ...], named: dict[str, Any], only_to: bool = False) -> dict[str, Any]:
    """The arguments `from` and `to` by name. (Python keeps the word `from` for itself, so no parameter can be it.)"""
    names = ("to",) if only_to and len(values) == 1 and not named else ("from", "to")
    bounds = {**dict(zip(names, values, strict=False)), **named}
    if len(bounds) != len(values) + len(named) or not bounds.keys() <= {"from", "to"}:
        raise OperandError(
            f"{name}() takes the arguments 'from' and 'to', got {values} and {named}. Fix: x.random_(0, 10)."
        )
    return bounds


@guarded
def uniform_(self: Tensor, *bounds: float, generator: Generator | None = None, **named: float) -> Tensor:
    """Fill with uniform numbers in [from, to), by default [0, 1). As `Tensor.uniform_(from, to)`."""
    given = _bounds("uniform_", bounds, named)
    check_arguments("uniform_", {"from": "float", "to": "float"}, given.items())
    low, high = float(given.get("from", 0.0)), float(given.get("to", 1.0))
    return _fill(self, draws.uniform(self.dtype, low, high, source_of(generator)))


@guarded
def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers. As `Tensor.normal_`."""
    return _fill(self, draws.normal(self.dtype, float(mean), float(std), source_of(generator), is_contiguous(self)))


def random_(self: Tensor, *bounds: int | None, generator: Generator | None = None, **named: int) -> Tensor:
    """Fill with whole numbers in [0, to), in [from, to), or up to the element type's largest.

    As `Tensor.random_()`, `random_(to)`, `random_(from, to)`, `random_(from, None)`.
    """
    given, source = _bounds("random_", bounds, named, only_to=True), source_of(generator)
    if not given:
        return _fill(self, draws.any_integers(self.dtype, source))
    return _fill(self, draws.integers(self.dtype, given.get("from", 0), given.get("to"), source))


def bernoulli_(self: Tensor, p: Number | Tensor = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with ones with probability `p`, else zeros: one probability for all, or one each. As `Tensor.bernoulli_`.

    Raises:
        ShapeError: the probabilities do not stretch to the tensor's shape.
    """
    source = source_of(generator)
    if not isinstance(p, Recorded):
        return _fill(self, draws.bernoulli(self.dtype, float(p), source))  # type: ignore[arg-type]
    shape = tuple(self.shape)
    if broadcast(tuple(p.shape), shape) != shape:
        raise ShapeError(
            f"bernoulli_: probabilities of shape {list(p.shape)} do not stretch to {list(shape)}. Fix: "
            f"p.expand({list(shape)})."
        )
    chances = np.broadcast_to(read(p), shape).transpose(axes_by_stride(shape, strides_of(self)))
    return _fill(self, draws.bernoulli_each(p.dtype, chances, source))


@guarded
def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with waiting times between events of rate `lambd`. As `Tensor.exponential_`."""
    return _fill(self, draws.exponential(self.dtype, float(lambd), source_of(generator)))


@guarded
def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with how many trials of probability `p` the first success takes. As `Tensor.geometric_`."""
    return _fill(self, draws.geometric(self.dtype, float(p), source_of(generator)))


@guarded
def log_normal_(self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers whose logarithm is normal. As `Tensor.log_normal_`."""
    return _fill(self, draws.log_normal(self.dtype, float(mean), float(std), source_of(generator)))


@guarded
def cauchy_(self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with Cauchy numbers. As `Tensor.cauchy_`."""
    return _fill(self, draws.cauchy(self.dtype, float(median), float(sigma), source_of(generator)))


# --- new tensors ------------------------------------------------------------------------------------------------------


class Placement(TypedDict, total=False):
    """Keywords that every function that makes a tensor takes; on the CPU only `requires_grad` changes anything."""

    layout: object
    device: Any
    requires_grad: bool
    pin_memory: bool


def _new(
    shape: Shape,
    draw: Draw,
    out: Tensor | None = None,
    *,
    layout: object = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    if any(size < 0 for size in shape):
        raise ShapeError(
            f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}. Fix: give sizes of at least "
            "0."
        )
    if out is None and is_meta(device):
        return of_shape(shape, dtypes.of_numpy(draw((0,)).dtype), requires_grad)  # nothing is drawn
    if out is None:
        try:
            drawn = draw(shape)
        except MemoryError as error:
            raise NoMemoryError(f"random: can't allocate memory: {error}. Fix: make a smaller tensor.") from None
        return finished(drawn, requires_grad, cpu)
    if tuple(out.shape) != shape:
        if out.numel():
            raise ShapeError(f"out has shape {list(out.shape)}, the draw {list(shape)}. Fix: out=torch.empty(0)")
        renew_memory(out, from_array(np.empty(shape, out.dtype.numpy)))
    return _fill(out, draw)


def _kind(record: dtype | None, out: Tensor | None, default: dtype | None = None) -> dtype:
    """The element type to draw.

    Raises:
        DTypeError: `dtype` contradicts `out`.
    """
    if out is None:
        return record or default or dtypes.default_float()
    if record not in (None, out.dtype):
        raise DTypeError(
            f"dtype {record!r} does not match dtype of out parameter ({out.dtype!r}). Fix: dtype={out.dtype!r}, or "
            "leave dtype out."
        )
    return out.dtype


def _like(input: Tensor, draw: Draw, memory_format: object = None, **placement: Unpack[Placement]) -> Tensor:
    if placement.get("device") is None:
        placement["device"] = input.device
    order: Literal["C", "K"] = "C" if memory_format == contiguous_format else "K"
    alike = draw if is_meta(placement["device"]) else lambda shape: np.array(drawn_as(input, draw), order=order)
    return _new(tuple(input.shape), alike, **placement)


def _sizes(name: str, sizes: tuple[Any, ...], size: Any) -> Shape:
    return sizes_of(name, sizes if size is None else (size,))


@guarded
def rand(
    *sizes: Any,
    size: Sequence[int] | None = None,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    **placement: Unpack[Placement],
) -> Tensor:
    """Uniform numbers in [0, 1). As `torch.rand`."""
    draw = draws.uniform(_kind(dtype, out), 0.0, 1.0, source_of(generator))
    return _new(_sizes("rand", sizes, size), draw, out, **placement)


@guarded
def rand_like(
    input: Tensor, *, generator: Generator | None = None, dtype: dtype | None = None, **placement: Any
) -> Tensor:
    """Uniform numbers in [0, 1), in the shape and type of `input`. As `torch.rand_like`."""
    return _like(input, draws.uniform(dtype or input.dtype, 0.0, 1.0, source_of(generator)), **placement)


@guarded
def randn(
    *sizes: Any,
    size: Sequence[int] | None = None,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    **placement: Unpack[Placement],
) -> Tensor:
    """Normal numbers of mean 0 and standard deviation 1. As `torch.randn`."""
    contiguous = out is None or is_contiguous(out)
    draw = draws.normal(_kind(dtype, out), 0.0, 1.0, source_of(generator), contiguous)
    return _new(_sizes("randn", sizes, size), draw, out, **placement)


@guarded
def randn_like(
    input: Tensor, *, generator: Generator | None = None, dtype: dtype | None = None, **placement: Any
) -> Tensor:
    """Normal numbers in the shape and type of `input`. As `torch.randn_like`."""
    order = [axis for axis in axes_by_stride(tuple(input.shape), strides_of(input)) if input.shape[axis] != 1]
    contiguous = order == sorted(order)
    return _like(input, draws.normal(dtype or input.dtype, 0.0, 1.0, source_of(generator), contiguous), **placement)


@guarded
def randint(
    *given: Any,
    low: int | None = None,
    high: int | None = None,
    size: Sequence[int] | None = None,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    **placement: Unpack[Placement],
) -> Tensor:
    """Whole numbers in [low, high). As `torch.randint(high, size)` and `torch.randint(low, high, size)`.

    Raises:
        OperandError: the bounds or the size are missing, given twice, or no whole numbers.
    """
    named = {key: value for key, value in (("low", low), ("high", high), ("size", size)) if value is not None}
    names = ("low", "high", "size") if "low" in named or len(given) + len(named) == 3 else ("high", "size")
    bounds = {**dict(zip([name for name in names if name not in named], given, strict=False)), **named}
    if len(bounds) != len(given) + len(named) or not {"high", "size"} <= bounds.keys():
        raise OperandError("randint() takes (high, size) or (low, high, size). Fix: torch.randint(0, 10, (3,))")
    if not isinstance(bounds["size"], list | tuple):
        raise OperandError(
            f"randint(): argument 'size' must be tuple of ints, not {type(bounds['size']).__name__}. Fix: a tuple: "
            "torch.randint(0, 10, (3,))."
        )
    draw = _integers("randint", _kind(dtype, out, dtypes.int64), bounds.get("low", 0), bounds["high"], generator)
    return _new(sizes_of("randint", (bounds["size"],)), draw, out, **placement)


def _integers(name: str, kind: dtype, low: Any, high: Any, generator: Generator | None) -> Draw:
    try:
        first, end = operator.index(low), operator.index(high)
    except TypeError:
        raise OperandError(f"{name}(): the bounds must be int, not {low!r} and {high!r}. Fix: int(bound).") from None
    return draws.integers(kind, first, end, source_of(generator))


@guarded
def randint_like(
    input: Tensor,
    *given: int,
    low: int | None = None,
    high: int | None = None,
    generator: Generator | None = None,
    dtype: dtype | None = None,
    **placement: Any,
) -> Tensor:
    """Whole numbers in [low, high), in the shape and type of `input`. As `torch.randint_like(input, [low,] high)`."""
    bounds = [value for value in (low, *given, high) if value is not None]
    if not 1 <= len(bounds) <= 2:
        raise OperandError("randint_like() takes (input, high) or (input, low, high). Fix: torch.randint_like(x, 10).")
    first, last = [0, *bounds][-2:]
    return _like(input, _integers("randint_like", dtype or input.dtype, first, last, generator), **placement)


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    **placement: Unpack[Placement],
) -> Tensor:
    """0 ... n-1 in random order. As `torch.randperm`.

    Raises:
        OperandError: `n` is no whole number.
        DTypeError: the element type does not have all of the numbers.
    """
    try:
        total = operator.index(n)
    except TypeError:
        raise OperandError(
            f"randperm(): argument 'n' (position 1) must be int, not {type(n).__name__}. Fix: int(n)."
        ) from None
    kind, source = _kind(dtype, out, dtypes.int64), source_of(generator)
    require_type("randperm", kind, dtypes.INTEGER, FLOAT)
    most = draws.largest_integer(kind)
    if total - 1 > most and kind is not dtypes.bfloat16:  # which PyTorch lets round
        raise DTypeError(
            f"randperm: {kind!r} does not have all numbers below {total}: it counts to {most}. Fix: dtype=torch.int64."
        )
    return _new((total,), lambda shape: source.permutation(*shape).astype(kind.numpy), out, **placement)


@guarded
def normal(
    mean: Number | Tensor,
    std: Number | Tensor = 1.0,
    size: Sequence[int] | None = None,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    **placement: Unpack[Placement],
) -> Tensor:
    """Normal numbers with one mean and standard deviation for all, or with one each. As `torch.normal`.

    Raises:
        OperandError: neither a tensor nor a size says how many.
        DistributionError: a standard deviation is negative.
    """
    source = source_of(generator)
    if size is not None:
        draw = draws.normal(_kind(dtype, out), float(mean), float(std), source)  # type: ignore[arg-type]
        return _new(sizes_of("normal", (size,)), draw, out, **placement)
    tensors = [value for value in (mean, std) if isinstance(value, Recorded)]
    if not tensors:
        raise OperandError("normal() takes tensors, or numbers and a size. Fix: torch.normal(0.0, 1.0, (3,))")
    kind = _kind(None, out, tensors[0].dtype)
    shape = broadcast(*[tuple(one.shape) for one in tensors])
    result = _new(shape, _normal_each(kind, mean, std, source), out, **placement)
    for one in tensors:
        if state.grad and one._spec.requires_grad and out is None:
            result = covered(one.expand(shape), result)
    return result


def _normal_each(kind: dtype, mean: Number | Tensor, std: Number | Tensor, source: Generator) -> Draw:
    """Normal numbers, then stretched and moved, with PyTorch's roundings."""
    center = read(mean) if isinstance(mean, Recorded) else np.array(mean, kind.numpy)
    if not isinstance(std, Recorded):
        spread: Array | None = None
        draw = draws.normal(kind, 0.0, float(std), source)  # type: ignore[arg-type]
    else:
        spread = read(std)
        require(
            (spread >= 0).all(),
            f"normal expects all elements of std >= 0.0, one is {spread.min():g}. Fix: std.abs(), or softplus(std).",
        )
        draw = draws.normal(kind, 0.0, 1.0, source)

    def moved(shape: Shape) -> Array:
        values = draw(shape)
        if spread is not None:
            values = (values * spread).astype(kind.numpy)
        return np.asarray(values + center).astype(kind.numpy)

    return moved


def bernoulli(
    input: Tensor, p: Number | Tensor | None = None, *, generator: Generator | None = None, out: Tensor | None = None
) -> Tensor:
    """Ones with the probabilities in `input`, or with probability `p` in its shape. As `torch.bernoulli`."""
    source, kind = source_of(generator), input.dtype if out is None else out.dtype
    if p is None:
        draw = draws.bernoulli_each(input.dtype, read(input), source)
    else:
        draw = draws.bernoulli(kind, float(p), source)  # type: ignore[arg-type]
    result = _new(tuple(input.shape), lambda shape: np.asarray(draw(shape)).astype(kind.numpy, copy=False), out)
    return covered(input, result) if input.requires_grad and state.grad else result


@guarded
def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Positions drawn with probabilities proportional to the weights, in each row. As `torch.multinomial`.

    Shapes:
        input f32[rows, categories] -> i64[rows, num_samples]

    Raises:
        DistributionError: weights of which there is no distribution, or too few of them.
    """
    require(
        len(input.shape) in (1, 2),
        f"multinomial: prob_dist must be 1 or 2 dim, but is {len(input.shape)}. Fix: flatten(0, -2) the weights.",
    )
    require(
        input.dtype.category == FLOAT,
        f"multinomial only supports floating-point dtypes, got: {input.dtype!r}. Fix: weights.float().",
    )
    require(
        out is None or out.dtype is dtypes.int64,
        "multinomial expects Long tensor out. Fix: out=torch.empty(0, dtype=torch.int64).",
    )
    require(
        num_samples > 0,
        f"multinomial: cannot sample n_sample <= 0 samples, and n_sample is {num_samples}. Fix: num_samples=1.",
    )
    categories = input.shape[-1]
    require(
        replacement or num_samples <= categories,
        f"multinomial: cannot sample n_sample > prob_dist.size(-1) samples without replacement: {num_samples} of "
        f"{categories}. Fix: replacement=True.",
    )
    require(
        categories <= _MOST_CATEGORIES,
        f"multinomial: number of categories cannot exceed 2^24, and is {categories}. Fix: sample a group first.",
    )
    weights, source = read(input), source_of(generator)
    rows = weights.reshape(-1, categories)
    require(
        not weights.size or (np.isfinite(rows) & (rows >= 0)).all(),
        "multinomial: probability tensor contains either `inf`, `nan` or element < 0. Fix: softmax() the scores.",
    )
    require(
        (rows.sum(-1) > 0).all(),
        "multinomial: invalid multinomial distribution (sum of probabilities <= 0). Fix: a row needs one weight above "
        "0.",
    )
    by_column = axes_by_stride(tuple(input.shape), strides_of(input)) == [1, 0]
    positions = source.multinomial(rows, num_samples, replacement, by_column)
    return _new((*input.shape[:-1], num_samples), positions.reshape, out)


def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """How many of `count` trials succeed, each with probability `prob`. As `torch.binomial`.

    Raises:
        DTypeError: `count` and `prob` are not of one floating-point type.
    """
    require_type("binomial", count.dtype, FLOAT)
    if prob.dtype is not count.dtype:
        raise DTypeError(f"binomial: Found dtype {prob.dtype} but expected {count.dtype}. Fix: prob.to({count.dtype}).")
    trials, chances = np.broadcast_arrays(read(count), read(prob))
    return from_array(source_of(generator).binomial(trials, chances))


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """How many events happen in a unit of time, for the rates in `input`. As `torch.poisson`.

    Raises:
        DistributionError: a rate is negative.
    """
    require_type("poisson", input.dtype, FLOAT)
    rates, source = read(input), source_of(generator)
    require(
        (rates >= 0).all(),
        f"poisson: invalid Poisson rate, expected rate to be non-negative, but one is {rates.min():g}. Fix: "
        "rates.clamp(min=0).",
    )
    return from_array(source.poisson(rates))
