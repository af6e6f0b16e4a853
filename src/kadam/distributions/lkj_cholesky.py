"""LKJCholesky: Cholesky factors of random correlations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from kadam.distributions import constraints
from kadam.distributions.constraints import Constraint
from kadam.distributions.distribution import Distribution, ParameterError, tiny, together
from kadam.distributions.gamma import Beta
from kadam.ops.combine import cat
from kadam.ops.creation import arange, zeros
from kadam.ops.pointwise import lgamma
from kadam.ops.random import randn
from kadam.ops.special import mvlgamma
from kadam.recording.modes import grad_mode

if TYPE_CHECKING:
    from kadam.tensor import Tensor


class LKJCholesky(Distribution):
    """Cholesky factors of correlations, whose density is a power of the determinant. As in `torch.distributions`.

    Shapes:
        concentration f32[...] -> draws f32[..., dim, dim]

    Source: D. Lewandowski, D. Kurowicka, H. Joe, "Generating random correlation matrices based on vines and extended
    onion method" (2009).
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {"concentration": constraints.positive}
    support = constraints.corr_cholesky
    _event_axes: ClassVar[dict[str, int]] = {"concentration": 0}

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ParameterError(
                f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}. Fix: of one variable "
                "there is no correlation."
            )
        self.dim = dim
        (self.concentration,) = together(concentration)
        super().__init__(self.concentration.shape, (dim, dim), validate_args=validate_args)

    @property
    def _lengths(self) -> Beta:
        """Of each row: how much of its length, squared, lies below the diagonal."""
        kind = self.concentration.dtype
        place = cat([zeros(1, dtype=kind), arange(self.dim - 1, dtype=kind)])
        most = self.concentration + 0.5 * (self.dim - 2)
        return Beta(place + 0.5, most.unsqueeze(-1) - 0.5 * place, validate_args=False)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with grad_mode(False):
            length = self._lengths.sample(sample_shape).unsqueeze(-1)
            drawn = randn(self._extended_shape(sample_shape), dtype=length.dtype).tril(-1)
            norm = drawn.norm(dim=-1, keepdim=True)
            below = length.sqrt() * (drawn / norm).masked_fill(norm == 0, 0.0)
            rest = (1 - (below**2).sum(-1)).clamp(min=tiny(below.dtype)).sqrt()
            found: Tensor = below + rest.diag_embed()
            return found

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        rows = self.dim - 1
        power = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - arange(2, self.dim + 1)
        density = (power * value.diagonal(dim1=-1, dim2=-2)[..., 1:].log()).sum(-1)
        alpha = self.concentration + 0.5 * rows
        whole = 0.5 * rows * math.log(math.pi) + mvlgamma(alpha - 0.5, rows) - lgamma(alpha) * rows
        return density - whole


__all__ = ["LKJCholesky"]
