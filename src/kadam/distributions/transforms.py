"""Invertible functions of draws, with the logarithm of how they stretch. As `torch.distributions.transforms`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Self

from kadam import missing
from kadam.distributions import constraints
from kadam.distributions.constraints import Constraint
from kadam.distributions.distribution import eps, tiny, together
from kadam.nn.functional import softplus
from kadam.recording.tensor import Recorded
from kadam.shapes import broadcast

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class Transform:
    """A function of tensors, called as one; `inv` is its inverse.

    Attributes:
        domain, codomain: from where to where.
        bijective: whether it has an inverse.
    """

    domain: Constraint = constraints.real
    codomain: Constraint = constraints.real
    bijective = True
    _last: tuple[Tensor | None, Tensor | None] = (None, None)

    def __init__(self, cache_size: int = 0) -> None:
        self._cache_size = cache_size

    def __call__(self, x: Tensor) -> Tensor:
        """The transformed values."""
        if not self._cache_size:
            return self._call(x)
        known, value = self._last
        if x is not known:
            value = self._call(x)
            self._last = x, value
        return value  # type: ignore[return-value]

    def _inverse_of(self, y: Tensor) -> Tensor:
        """The inverse; of the last transformed values, with a cache, the very tensor that they came from."""
        if self._cache_size and y is self._last[1]:
            return self._last[0]  # type: ignore[return-value]
        return self._inverse(y)

    def _call(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define _call. Fix: define _call(self, x).")

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define _inverse. Fix: define _inverse(self, y).")

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of the transformed values, from that of the values."""
        return tuple(shape)

    def inverse_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of the values, from that of the transformed values."""
        return tuple(shape)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """The logarithm of how much the function stretches at `x`, where its value is `y`."""
        raise NotImplementedError

    def with_cache(self, cache_size: int = 1) -> Self:
        """The same function, which remembers that many values: 0 or 1."""
        if self._cache_size == cache_size:
            return self
        other = copy(self)
        other._cache_size, other._last = cache_size, (None, None)
        return other

    @property
    def event_dim(self) -> int:
        """How many axes at the end of values belong together.

        Raises:
            ValueError: values and transformed values differ in it.
        """
        if self.domain.event_dim != self.codomain.event_dim:
            raise ValueError(
                f"{type(self).__name__} has no single event_dim. Fix: use either .domain.event_dim or "
                ".codomain.event_dim."
            )
        return self.domain.event_dim

    @property
    def inv(self) -> Transform:
        """The inverse."""
        return _InverseTransform(self)

    @property
    def sign(self) -> Any:
        """1 where it grows, -1 where it falls."""
        raise NotImplementedError(
            f"{type(self).__name__} neither grows nor falls everywhere, or does not say so. Fix: set sign = 1 or -1 in "
            "its class."
        )

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        mine, theirs = (
            {name: value for name, value in vars(one).items() if name not in ("_last", "_cache_size", "_back")}
            for one in (self, other)
        )
        return mine.keys() == theirs.keys() and all(_alike(value, theirs[name]) for name, value in mine.items())

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _alike(first: Any, second: Any) -> bool:
    if isinstance(first, Recorded) or isinstance(second, Recorded):
        return first is second or bool((first == second).all())  # type: ignore[attr-defined, unused-ignore]
    return bool(first == second)


class _InverseTransform(Transform):
    def __init__(self, forward: Transform) -> None:
        super().__init__()
        self.forward = forward
        self.domain, self.codomain, self.bijective = forward.codomain, forward.domain, forward.bijective

    def __call__(self, x: Tensor) -> Tensor:
        return self.forward._inverse_of(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.forward(y)

    def with_cache(self, cache_size: int = 1) -> Self:
        return self.forward.with_cache(cache_size).inv  # type: ignore[return-value]

    def __repr__(self) -> str:
        return f"_InverseTransform({self.forward!r})"

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -self.forward.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return self.forward.inverse_shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return self.forward.forward_shape(shape)

    @property
    def inv(self) -> Transform:
        return self.forward

    @property
    def sign(self) -> Any:
        return self.forward.sign


class ComposeTransform(Transform):
    """One function after the other."""

    _back: ComposeTransform | None = None  # the inverse, once it was asked for

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = list(parts)
        if self.parts:
            self.domain, self.codomain = (
                _raised(self.parts[0].domain, self._entry),
                _raised(self.parts[-1].codomain, self._exit),
            )
        self.bijective = all(part.bijective for part in self.parts)

    @property
    def _entry(self) -> int:
        """How many axes of the values are transformed together."""
        axes = self.parts[-1].codomain.event_dim
        for part in reversed(self.parts):
            axes = max(axes + part.domain.event_dim - part.codomain.event_dim, part.domain.event_dim)
        return axes

    @property
    def _exit(self) -> int:
        """How many axes of the transformed values belong together."""
        axes = self.parts[0].domain.event_dim
        for part in self.parts:
            axes = max(axes + part.codomain.event_dim - part.domain.event_dim, part.codomain.event_dim)
        return axes

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        for part in self.parts:
            shape = part.forward_shape(shape)
        return tuple(shape)

    def inverse_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return tuple(shape)

    def _call(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def _inverse(self, y: Tensor) -> Tensor:
        for part in reversed(self.parts):
            y = part.inv(y)
        return y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        if not self.parts:
            return x.new_zeros(tuple(x.shape))
        terms, axes = [], self._entry
        for part in self.parts:
            moved = part(x)
            terms.append(summed(part.log_abs_det_jacobian(x, moved), axes - part.domain.event_dim))
            axes += part.codomain.event_dim - part.domain.event_dim
            x = moved
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total

    @property
    def sign(self) -> Any:
        return math.prod(part.sign for part in self.parts)

    @property
    def inv(self) -> Transform:
        if self._back is None:
            self._back = ComposeTransform([part.inv for part in reversed(self.parts)])
            self._back._back = self
        return self._back

    def with_cache(self, cache_size: int = 1) -> Self:
        if self._cache_size == cache_size:
            return self
        return type(self)([part.with_cache(cache_size) for part in self.parts], cache_size)

    def __repr__(self) -> str:
        parts = ",\n    ".join(map(repr, self.parts))
        return f"{type(self).__name__}(\n    {parts}\n)"


def summed(values: Tensor, axes: int) -> Tensor:
    """The sum over a number of axes at the end."""
    return values.sum(tuple(range(-axes, 0))) if axes > 0 else values


def _raised(region: Constraint, axes: int) -> Constraint:
    further = axes - region.event_dim
    return constraints.independent(region, further) if further > 0 else region


class ExpTransform(Transform):
    """exp(x)."""

    codomain = constraints.positive
    sign = 1

    def _call(self, x: Tensor) -> Tensor:
        return x.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if isinstance(value, Recorded) else ()


class AffineTransform(Transform):
    """loc + scale x."""

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc, self.scale, self._event_dim = loc, scale, event_dim
        if event_dim:
            self.domain = self.codomain = constraints.independent(constraints.real, event_dim)

    @property
    def event_dim(self) -> int:
        return self._event_dim

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return broadcast(broadcast(tuple(shape), _shape(self.loc)), _shape(self.scale))

    inverse_shape = forward_shape

    def _call(self, x: Tensor) -> Tensor:
        moved: Tensor = self.loc + self.scale * x
        return moved

    def _inverse(self, y: Tensor) -> Tensor:
        found: Tensor = (y - self.loc) / self.scale
        return found

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        if not isinstance(self.scale, Recorded):
            stretched = x.new_full(tuple(x.shape), math.log(abs(self.scale)))
        else:
            stretched = self.scale.abs().log() + x.new_zeros(tuple(x.shape))  # type: ignore[attr-defined]
        return summed(stretched, self._event_dim)

    @property
    def sign(self) -> Any:
        return self.scale.sign() if isinstance(self.scale, Recorded) else int(math.copysign(1, self.scale))  # type: ignore[attr-defined]


class PowerTransform(Transform):
    """x to a power, for positive x."""

    domain = codomain = constraints.positive

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        (self.exponent,) = together(exponent)

    @property
    def sign(self) -> Any:
        return self.exponent.sign()

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return broadcast(tuple(shape), _shape(self.exponent))

    inverse_shape = forward_shape

    def _call(self, x: Tensor) -> Tensor:
        return x.pow(self.exponent)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.pow(1 / self.exponent)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        found: Tensor = (self.exponent * y / x).abs().log()
        return found


class SigmoidTransform(Transform):
    """1 / (1 + exp(-x))."""

    codomain = constraints.unit_interval
    sign = 1

    def _call(self, x: Tensor) -> Tensor:
        return x.sigmoid().clamp(min=tiny(x.dtype), max=1.0 - eps(x.dtype))

    def _inverse(self, y: Tensor) -> Tensor:
        kept = y.clamp(min=tiny(y.dtype), max=1.0 - eps(y.dtype))
        return kept.log() - (-kept).log1p()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -softplus(-x) - softplus(x)


class SoftplusTransform(Transform):
    """log(1 + exp(x))."""

    codomain = constraints.positive
    sign = 1

    def _call(self, x: Tensor) -> Tensor:
        return softplus(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return (-y).expm1().neg().log() + y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -softplus(-x)


class TanhTransform(Transform):
    """tanh(x)."""

    codomain = constraints.interval(-1.0, 1.0)
    sign = 1

    def _call(self, x: Tensor) -> Tensor:
        return x.tanh()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return 2.0 * (math.log(2.0) - x - softplus(-2.0 * x))


class AbsTransform(Transform):
    """|x|."""

    codomain = constraints.positive
    bijective = False

    def _call(self, x: Tensor) -> Tensor:
        return x.abs()

    def _inverse(self, y: Tensor) -> Tensor:
        return y


identity_transform = ComposeTransform([])

__all__ = [
    "AbsTransform", "AffineTransform", "ComposeTransform", "ExpTransform", "PowerTransform", "SigmoidTransform",
    "SoftplusTransform", "TanhTransform", "Transform", "identity_transform", "summed",
]  # fmt: skip

missing.install(
    __name__,
    {
        "kadam.distributions.vector_transforms": (
            "CatTransform CumulativeDistributionTransform IndependentTransform ReshapeTransform SoftmaxTransform "
            "StackTransform StickBreakingTransform"
        ),
        "kadam.distributions.matrix_transforms": (
            "CorrCholeskyTransform LowerCholeskyTransform PositiveDefiniteTransform"
        ),
    },
)
