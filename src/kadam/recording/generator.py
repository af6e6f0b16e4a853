"""Random numbers, bit for bit those of PyTorch's CPU generator.

Every draw takes 32-bit words from a Mersenne twister and turns each, or each pair, into a value: which words and which
bits of them depends on the distribution and the element type. The words come from `twister.py`; what is made of them
stands here, in `gaussian.py` (normal numbers) and in `rounding.py` (how C rounds).
"""

from __future__ import annotations

import math
import operator
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.device import check, cpu
from kadam.errors import KadamError, OperandError, UnsupportedError
from kadam.ir.primitive import Array
from kadam.recording.binomial import binomial_count
from kadam.recording.gamma import gamma_number
from kadam.recording.poisson import poisson_count
from kadam.recording.rounding import c_function, cast, fused_f32, fused_f64, through
from kadam.recording.tensor import Recorded, from_array, read
from kadam.recording.twister import Twister, normal_rows, shuffled
from kadam.recording.words import MASK_53, long, remainder, unit_f32, unit_f64
from kadam.shapes import Shape, count

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_DEFAULT_SEED = 67280421310721  # PyTorch's
_BLOCK = 16384  # values drawn at a time: their temporaries stay in the cache
_WIDE_RANGE = 1 << 28  # from here on an integer takes two words
_LAST_SHUFFLE = (1 << 32) // 20  # from here on PyTorch shuffles by another algorithm

# How PyTorch lays out a generator's state (the twister's words stand in 64 bits each, for historical reasons).
_STATE = np.dtype(
    [
        ("seed", "<u8"), ("left", "<i4"), ("seeded", "<i4"), ("next", "<u8"), ("words", "<u8", 624),
        ("normal_x", "<f8"), ("normal", "<f8"), ("normal_rho", "<f8"), ("has_normal", "<i4"),
        ("padding", "<i4"), ("float_normal", "<f4"), ("has_float_normal", "<i4"),
    ],
)  # fmt: skip


class SeedError(KadamError, ValueError):
    """A seed beyond 64 bits."""


class StateError(KadamError, RuntimeError):
    """Bytes that are no generator's state."""


class Generator:
    """A source of random numbers, as `torch.Generator`.

    Its draws return NumPy arrays; `dtype` is a NumPy type throughout.

    Attributes:
        noted: where draws of one probability are noted (shape, p, result) for whoever wants to repeat them.
    """

    noted: list[tuple[Shape, float, Array]] | None = None

    def __init__(self, device: Any = "cpu") -> None:
        check(device)
        self.device = cpu
        self._twister = Twister()
        self.manual_seed(_DEFAULT_SEED)

    # ---- Seeds and state

    def manual_seed(self, seed: int) -> Generator:
        """Start the sequence that belongs to `seed`, of which the lowest 32 bits count.

        Raises:
            SeedError: the seed needs more than 64 bits.
            OperandError: it is no whole number.
        """
        try:
            seed = operator.index(seed)
        except TypeError:
            raise OperandError(
                f"manual_seed expected a long, but got {type(seed).__name__}. Fix: torch.manual_seed(int(seed))."
            ) from None
        if not -(1 << 63) <= seed < 1 << 64:
            raise SeedError(
                "manual_seed: Overflow when unpacking long long: a seed is a whole number of at most 64 bits. Fix: "
                "torch.manual_seed(seed % 2**63)."
            )
        self._seed = seed % (1 << 64)
        self._next_normal: float | None = None
        self._twister.seed(self._seed & 0xFFFFFFFF)
        return self

    def seed(self) -> int:
        """Start a sequence that nobody can foresee; returns its seed."""
        return self.manual_seed(secrets.randbits(64))._seed

    def initial_seed(self) -> int:
        """The seed that started the sequence."""
        return self._seed

    def state_bytes(self) -> Array:
        """The state in PyTorch's layout, as u8[5056]."""
        key, position = self._twister.state
        record = np.zeros((), _STATE)
        record["seed"], record["seeded"], record["words"] = self._seed, 1, key
        record["left"] = 625 - position
        record["next"] = 0 if self._is_fresh(key, position) else position
        if self._next_normal is not None:
            record["normal"], record["has_normal"] = self._next_normal, 1
        return np.frombuffer(record.tobytes(), np.uint8).copy()

    def _is_fresh(self, key: Array, position: int) -> bool:
        """Whether nothing has been drawn since seeding: PyTorch then counts positions from 0, NumPy from 624."""
        if position != 624:
            return False
        fresh: Any = np.random.RandomState(self._seed & 0xFFFFFFFF).get_state(legacy=False)
        return np.array_equal(fresh["state"]["key"], key)

    def set_state_bytes(self, state: Array) -> Generator:
        """Continue from a state in PyTorch's layout.

        Raises:
            StateError: it is not one.
        """
        if state.size != _STATE.itemsize:
            raise StateError(
                f"set_rng_state: Expected a CPUGeneratorImplState of size {_STATE.itemsize} but found the input RNG "
                f"state size to be {state.size}. Fix: give what get_rng_state() returned."
            )
        record = np.frombuffer(state.tobytes(), _STATE)[0]
        if not (record["seeded"] and 0 < record["left"] <= 624 and record["next"] <= 624):
            raise StateError("set_rng_state: Invalid mt19937 state. Fix: give what get_rng_state() returned.")
        position = 624 if record["left"] == 1 else int(record["next"])
        self._twister.state = record["words"].astype(np.uint32), position
        self._seed = int(record["seed"])
        self._next_normal = float(record["normal"]) if record["has_normal"] else None
        return self

    def get_state(self) -> Tensor:
        """The state, as u8[5056]."""
        return from_array(self.state_bytes())

    def set_state(self, new_state: Tensor) -> Generator:
        """Continue from a state that `get_state` gave, here or in PyTorch.

        Raises:
            OperandError: it is no tensor of bytes.
            StateError: it is no generator's state.
        """
        if not isinstance(new_state, Recorded) or new_state.dtype is not dtypes.uint8:
            raise OperandError(
                "set_rng_state: RNG state must be a torch.ByteTensor. Fix: give what get_rng_state() returned; "
                "torch.load keeps its type."
            )
        return self.set_state_bytes(read(new_state))

    def clone_state(self) -> Generator:
        """A new generator that goes on where this one stands."""
        return Generator().set_state_bytes(self.state_bytes())

    def place(self) -> tuple[bytes, int, float | None]:
        """Where the sequence stands: equal places go on alike."""
        key, position = self._twister.state
        return key.tobytes(), position, self._next_normal

    def stand(self, place: tuple[bytes, int, float | None]) -> None:
        """Go on from a place of this generator or of another one."""
        key, position, self._next_normal = place
        self._twister.state = np.frombuffer(key, np.uint32), position

    def __getstate__(self) -> bytes:
        return self.state_bytes().tobytes()

    def __setstate__(self, state: bytes) -> None:
        self.__init__()  # type: ignore[misc]
        self.set_state_bytes(np.frombuffer(state, np.uint8))

    # ---- Words

    def _draw(self, shape: Shape, dtype: Any, value_of: Callable[[Array], Array], words_each: int = 1) -> Array:
        """An array of the given shape whose values are made of so many words each."""
        total = count(shape)
        values = np.empty(total, dtype)
        for start in range(0, total, _BLOCK):
            size = min(_BLOCK, total - start)
            values[start : start + size] = value_of(self._twister.words(size * words_each))
        return values.reshape(shape)

    def _draw_units(self, shape: Shape, dtype: Any, value_of: Callable[[Array], Array]) -> Array:
        """Values made of 53-bit uniform numbers in [0, 1)."""
        return self._draw(shape, dtype, lambda words: value_of(unit_f64(words)), 2)

    def random_int64(self) -> int:
        """One number in [0, 2^63): what PyTorch seeds samplers and workers with."""
        return int(self.random((), np.int64))

    # ---- Uniform draws

    def uniform(self, shape: Shape, low: float = 0.0, high: float = 1.0, dtype: Any = np.float32) -> Array:
        """Numbers in [low, high): multiples of 2^-24 (2^-53 in float64) of the range."""
        dtype = np.dtype(dtype)
        if dtype.kind == "c":
            return _complex(self.uniform((*shape, 2), low, high, _part(dtype)), shape)
        if dtype == np.float64:
            return self._draw_units(shape, dtype, lambda unit: _below(high, low, fused_f64(unit, high - low, low)))
        first, last = np.float32(low), np.float32(high)

        def value_of(words: Array) -> Array:
            unit = unit_f32(words)
            if (low, high) != (0, 1):
                unit = fused_f32(unit.astype(np.float64), float(last - first), float(first))
            return _below(high, low, cast(unit, dtype))

        return self._draw(shape, dtype, value_of)

    def integers(self, low: int, high: int, shape: Shape, dtype: Any = np.int64) -> Array:
        """Whole numbers in [low, high)."""
        span = high - low

        def value_of(words: Array) -> Array:
            if span == 1 << 64:
                return cast(long(words).view(np.int64), dtype)
            drawn = remainder(long(words) if span >= _WIDE_RANGE else words, span)
            return cast(drawn.astype(np.int64) + low, dtype)

        return self._draw(shape, dtype, value_of, 2 if span >= _WIDE_RANGE else 1)

    def random(self, shape: Shape, dtype: Any) -> Array:
        """Whole numbers from 0 to the largest of an integer type, or to 2^(digits of a float type).

        As `Tensor.random_` without bounds.
        """
        dtype = np.dtype(dtype)
        span = _FLOAT_SPANS.get(dtype.name) or (2 if dtype.kind == "b" else int(np.iinfo(dtype).max) + 1)
        if dtype.itemsize == 8:
            return self._draw(shape, dtype, lambda words: cast(remainder(long(words), span), dtype), 2)
        return self._draw(shape, dtype, lambda words: cast(remainder(words, span), dtype))

    def permutation(self, n: int) -> Array:
        """0 ... n-1 in random order.

        Raises:
            UnsupportedError: for hundreds of millions of elements, which PyTorch shuffles in another way.
        """
        if n >= _LAST_SHUFFLE:
            raise UnsupportedError(
                f"randperm({n}): only permutations of fewer than {_LAST_SHUFFLE} elements. Fix: draw a smaller "
                "permutation, or shuffle in parts."
            )
        return shuffled(self._draw((max(n - 1, 0),), np.uint32, lambda words: words))[:n]

    # ---- Normal draws

    def normal(
        self, shape: Shape, mean: float = 0.0, std: float = 1.0, dtype: Any = np.float32, contiguous: bool = True
    ) -> Array:
        """Normal numbers. Fewer than 16, or for memory that is not `contiguous`, are drawn one by one."""
        dtype, total = np.dtype(dtype), count(shape)
        if dtype.kind == "c":
            return _complex(self.normal((*shape, 2), mean, std / math.sqrt(2), _part(dtype), contiguous), shape)
        if total < 16 or not contiguous:
            return cast(self._normal_one_by_one(total, mean, std), dtype).reshape(shape)
        double = dtype == np.float64
        words_each = 2 if double else 1

        def value_of(words: Array) -> Array:
            return cast(normal_rows(words, mean, std, double), dtype)

        whole, rest = total // 16 * 16, total % 16
        values = self._draw((whole,), dtype, value_of, words_each)
        if rest:  # is drawn and forgotten (in half precision not even drawn), and the last 16 are drawn anew
            if dtype.itemsize > 2:
                self._twister.words(rest * words_each)
            last = self._draw((16,), dtype, value_of, words_each)
            values = np.concatenate([values[: total - 16], last])
        return values.reshape(shape)

    def _normal_one_by_one(self, total: int, mean: float, std: float) -> Array:
        """Normal numbers in pairs, in float64; the second of a pair waits in the generator for the next draw."""
        waiting = [] if self._next_normal is None else [self._next_normal]
        pairs = (total - len(waiting) + 1) // 2
        units = self.uniform((pairs, 2), dtype=np.float64)
        radius = np.sqrt(-2.0 * c_function("log1p", -units[:, 1]))
        angle = 2.0 * math.pi * units[:, 0]
        made = np.stack([radius * c_function("cos", angle), radius * c_function("sin", angle)], 1)
        values = np.concatenate([np.array(waiting), made.reshape(-1)])
        if total:
            self._next_normal = float(values[total]) if len(values) > total else None
        return fused_f64(values[:total], std, mean)

    def log_normal(self, shape: Shape, mean: float, std: float, dtype: Any = np.float32) -> Array:
        """Numbers whose logarithm is normal."""
        normal = self._normal_one_by_one(count(shape), mean, std)
        return through("exp", normal, lambda x: cast(x, dtype)).reshape(shape)

    # ---- Other distributions

    def bernoulli(self, shape: Shape, p: float | Array) -> Array:
        """True with probability p: one for all, or an array of float32 or float64 that broadcasts to the shape."""
        if isinstance(p, np.ndarray):
            unit = self.uniform(shape, dtype=np.float64 if p.dtype == np.float64 else np.float32)
            return unit < (p if p.dtype == np.float64 else p.astype(np.float32))
        bound = math.ceil(p * 2.0**53)  # exactly where 53 bits, read as a fraction, reach p
        high, low = np.int32(bound >> 32), np.uint32(bound & 0xFFFFFFFF)

        def value_of(words: Array) -> Array:
            upper = words.view(np.int32)[0::2] & np.int32(MASK_53 >> 32)
            hit = upper < high
            tied = np.flatnonzero(upper == high)
            hit[tied] = words[1::2][tied] < low
            return hit

        drawn = self._draw(shape, np.bool_, value_of, 2)
        if self.noted is not None:
            self.noted.append((shape, p, drawn))
        return drawn

    def exponential(self, shape: Shape, rate: float = 1.0, dtype: Any = np.float32) -> Array:
        """Waiting times between events of the given rate."""
        scale = -1.0 / rate
        return self._draw_units(shape, dtype, lambda u: through("log1p", -u, lambda x: cast(scale * x, dtype)))

    def geometric(self, shape: Shape, p: float, dtype: Any = np.float32) -> Array:
        """How many trials of probability p the first success takes."""
        scale = math.log1p(-p)
        return self._draw_units(shape, dtype, lambda u: through("log", u, lambda x: cast(np.ceil(x / scale), dtype)))

    def cauchy(self, shape: Shape, median: float, sigma: float, dtype: Any = np.float32) -> Array:
        """Cauchy numbers: the tangent of a uniform angle."""

        def placed(x: Array) -> Array:
            return cast(fused_f64(x, sigma, median), dtype)

        return self._draw_units(shape, dtype, lambda u: through("tan", math.pi * (u - 0.5), placed))

    def poisson(self, rates: Array) -> Array:
        """How many events happen in a unit of time, for each rate."""
        counts = [poisson_count(float(rate), self._unit) for rate in rates.reshape(-1)]
        return cast(np.array(counts, np.float64), rates.dtype).reshape(rates.shape)

    def binomial(self, trials: Array, probabilities: Array) -> Array:
        """How many of the trials succeed, for each number of trials and probability."""
        pairs = zip(trials.reshape(-1), probabilities.reshape(-1), strict=True)
        counts = [binomial_count(count, probability, self._unit) for count, probability in pairs]
        return cast(np.array(counts, np.float64), trials.dtype).reshape(trials.shape)

    def gamma(self, concentrations: Array) -> Array:
        """Gamma numbers of rate 1, one for each concentration."""

        def one() -> float:
            return float(self._normal_one_by_one(1, 0.0, 1.0)[0])

        numbers = [gamma_number(float(each), self._unit, one) for each in concentrations.reshape(-1)]
        limit = np.finfo(concentrations.dtype).tiny
        drawn: Array = np.maximum(np.array(numbers, np.float64).astype(concentrations.dtype), limit)
        return drawn.reshape(concentrations.shape)

    def _unit(self) -> float:
        """One 53-bit uniform number in [0, 1)."""
        high, low = self._twister.words(2).tolist()
        return float((high << 32 | low) & MASK_53) * 2.0**-53

    def multinomial(self, weights: Array, samples: int, replacement: bool = False, by_column: bool = False) -> Array:
        """Positions drawn with probabilities proportional to the weights, for each row of them.

        Shapes:
            weights f32[rows, categories] -> i64[rows, samples]

        Args:
            weights: need not sum to 1.
            samples: how many positions to draw for each row.
            replacement: whether a position may be drawn again.
            by_column: whether the weights lie in memory column by column: draws follow the memory.
        """
        if replacement and samples > 1:
            return np.stack([self._with_replacement(row, samples) for row in weights])
        # The largest of p / Exponential is at a position with probability p: a race of exponential clocks.
        shape = weights.shape[::-1] if by_column else weights.shape
        clocks = self.exponential(shape, 1.0, weights.dtype)
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = weights / (clocks.T if by_column else clocks)
        best: Array
        if samples == 1:
            best = scores.argmax(-1, keepdims=True)
        else:
            best = np.argsort(-scores, axis=-1, kind="stable")[:, :samples]
        return best

    def _with_replacement(self, weights: Array, samples: int) -> Array:
        """By bisection of the cumulative distribution."""
        work = np.float64 if weights.dtype == np.float64 else np.float32
        cumulative = np.add.accumulate(weights.astype(work))
        cumulative /= cumulative[-1]
        cumulative[-1] = 1
        return np.searchsorted(cumulative.astype(np.float64), self.uniform((samples,), dtype=np.float64))


_FLOAT_SPANS = {
    "float64": (1 << 53) + 1, "float32": (1 << 24) + 1, "float16": (1 << 11) + 1, "bfloat16": (1 << 8) + 1
}  # fmt: skip


def _below(high: float, low: float, values: Array) -> Array:
    """The values, with `low` in place of those that were rounded up to `high`."""
    limit = cast(np.array(high), values.dtype)
    values[values == limit] = cast(np.array(low), values.dtype)
    return values


def _part(dtype: np.dtype[Any]) -> Any:
    """The type of the real and of the imaginary part."""
    return np.float32 if dtype == np.complex64 else np.float64


def _complex(parts: Array, shape: Shape) -> Array:
    """Pairs of numbers as real and imaginary parts."""
    return parts.view(np.complex64 if parts.dtype == np.float32 else np.complex128).reshape(shape)


default_generator = Generator()
default_generator.seed()
