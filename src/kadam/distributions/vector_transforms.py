"""Functions of vectors of draws, and several functions side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kadam.distributions import constraints
from kadam.distributions.distribution import Distribution, tiny
from kadam.distributions.transforms import Transform, summed
from kadam.nn.functional import logsigmoid, pad
from kadam.ops.combine import cat, stack
from kadam.ops.creation import arange
from kadam.ops.softmax import softmax

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class IndependentTransform(Transform):
    """Another function, several axes of which belong together."""

    def __init__(self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.base_transform = base_transform
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.domain = constraints.independent(base_transform.domain, reinterpreted_batch_ndims)
        self.codomain = constraints.independent(base_transform.codomain, reinterpreted_batch_ndims)
        self.bijective = base_transform.bijective

    def _call(self, x: Tensor) -> Tensor:
        return self.base_transform(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return summed(self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return self.base_transform.inverse_shape(shape)

    @property
    def sign(self) -> Any:
        return self.base_transform.sign

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_transform!r}, {self.reinterpreted_batch_ndims})"


class ReshapeTransform(Transform):
    """The same numbers in another shape."""

    def __init__(self, in_shape: Sequence[int], out_shape: Sequence[int], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.in_shape, self.out_shape = tuple(in_shape), tuple(out_shape)
        if math.prod(self.in_shape) != math.prod(self.out_shape):
            raise ValueError("in_shape, out_shape have different numbers of elements. Fix: give shapes of one size.")
        self.domain = constraints.independent(constraints.real, len(self.in_shape))
        self.codomain = constraints.independent(constraints.real, len(self.out_shape))

    def _call(self, x: Tensor) -> Tensor:
        return x.reshape(self.forward_shape(x.shape))

    def _inverse(self, y: Tensor) -> Tensor:
        return y.reshape(self.inverse_shape(y.shape))

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x.new_zeros(tuple(x.shape[: x.dim() - len(self.in_shape)]))

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (*shape[: len(shape) - len(self.in_shape)], *self.out_shape)

    def inverse_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (*shape[: len(shape) - len(self.out_shape)], *self.in_shape)


class SoftmaxTransform(Transform):
    """exp(x) with sum 1; its inverse is the logarithm, up to a constant."""

    domain, codomain, bijective = constraints.real_vector, constraints.simplex, False

    def _call(self, x: Tensor) -> Tensor:
        return softmax(x, -1)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()


class StickBreakingTransform(Transform):
    """A vector as probabilities, one more: each number says which part of the rest of a stick is broken off."""

    domain, codomain = constraints.real_vector, constraints.simplex

    def _call(self, x: Tensor) -> Tensor:
        offset = x.shape[-1] + 1 - arange(1, x.shape[-1] + 1, dtype=x.dtype)
        part = (x - offset.log()).sigmoid()
        pieces: Tensor = pad(part, (0, 1), value=1) * pad((1 - part).cumprod(-1), (1, 0), value=1)
        return pieces

    def _inverse(self, y: Tensor) -> Tensor:
        broken = y[..., :-1]
        offset = y.shape[-1] - arange(1, broken.shape[-1] + 1, dtype=y.dtype)
        rest = (1 - broken.cumsum(-1)).clamp(min=tiny(y.dtype))
        found: Tensor = broken.log() - rest.log() + offset.log()
        return found

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        offset = x.shape[-1] + 1 - arange(1, x.shape[-1] + 1, dtype=x.dtype)
        moved = x - offset.log()
        found: Tensor = (-moved + logsigmoid(moved) + y[..., :-1].log()).sum(-1)
        return found

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] + 1)

    def inverse_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] - 1)


class CumulativeDistributionTransform(Transform):
    """The probability of a value up to x."""

    codomain = constraints.unit_interval
    sign = 1

    def __init__(self, distribution: Distribution, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.distribution = distribution
        self.domain = distribution.support

    def _call(self, x: Tensor) -> Tensor:
        return self.distribution.cdf(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.distribution.log_prob(x)


class _SideBySide(Transform):
    """The base of several functions of the parts of a tensor."""

    def __init__(self, tseq: Sequence[Transform], dim: int, cache_size: int) -> None:
        super().__init__(cache_size)
        self.transforms = list(tseq)
        self.dim = dim
        self.bijective = all(one.bijective for one in self.transforms)

    @property
    def event_dim(self) -> int:
        return max(one.event_dim for one in self.transforms)

    def _parts(self, values: Tensor) -> Sequence[Tensor]:
        raise NotImplementedError

    def _whole(self, parts: Sequence[Tensor]) -> Tensor:
        raise NotImplementedError

    def _call(self, x: Tensor) -> Tensor:
        return self._whole([one(part) for one, part in zip(self.transforms, self._parts(x), strict=True)])

    def _inverse(self, y: Tensor) -> Tensor:
        return self._whole([one.inv(part) for one, part in zip(self.transforms, self._parts(y), strict=True)])

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        pairs = zip(self.transforms, self._parts(x), self._parts(y), strict=True)
        return self._whole([one.log_abs_det_jacobian(before, after) for one, before, after in pairs])


class CatTransform(_SideBySide):
    """Functions of pieces of the given lengths along an axis."""

    def __init__(
        self, tseq: Sequence[Transform], dim: int = 0, lengths: Sequence[int] | None = None, cache_size: int = 0
    ) -> None:
        super().__init__(tseq, dim, cache_size)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        self.domain, self.codomain = (
            constraints.cat([getattr(one, side) for one in self.transforms], dim, self.lengths)
            for side in ("domain", "codomain")
        )

    @property
    def length(self) -> int:
        """The length of the axis."""
        return sum(self.lengths)

    def _parts(self, values: Tensor) -> Sequence[Tensor]:
        return values.split(self.lengths, self.dim)

    def _whole(self, parts: Sequence[Tensor]) -> Tensor:
        return cat(list(parts), self.dim)


class StackTransform(_SideBySide):
    """Functions of the slices along an axis."""

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(tseq, dim, cache_size)
        self.domain, self.codomain = (
            constraints.stack([getattr(one, side) for one in self.transforms], dim) for side in ("domain", "codomain")
        )

    def _parts(self, values: Tensor) -> Sequence[Tensor]:
        if values.shape[self.dim] != len(self.transforms):
            raise AssertionError(
                f"x.size({self.dim}) = {values.shape[self.dim]} must equal len(transforms) {len(self.transforms)}"
                ". Fix: a slice for each transform."
            )
        return values.unbind(self.dim)

    def _whole(self, parts: Sequence[Tensor]) -> Tensor:
        return stack(list(parts), self.dim)


__all__ = [
    "CatTransform", "CumulativeDistributionTransform", "IndependentTransform", "ReshapeTransform", "SoftmaxTransform",
    "StackTransform", "StickBreakingTransform",
]  # fmt: skip
