"""Wishart: the sums of squares and products of normal vectors."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from kadam import linalg
from kadam.distributions import constraints
from kadam.distributions.constraints import Constraint
from kadam.distributions.covariance import WithCovariance, half_log_det, only_matrix
from kadam.distributions.distribution import ParameterError, eps
from kadam.distributions.exp_family import ExponentialFamily
from kadam.distributions.gamma import Chi2
from kadam.linalg.equations import cholesky_solve
from kadam.ops.creation import arange, eye, tensor, tril_indices
from kadam.ops.pointwise import digamma
from kadam.ops.random import randn
from kadam.ops.special import mvlgamma
from kadam.recording.spec import Size
from kadam.recording.tensor import Recorded, read
from kadam.shapes import broadcast

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_LOG_2 = math.log(2.0)
_TRIES = 10  # how often matrices that came out singular are drawn anew


class Wishart(WithCovariance, ExponentialFamily):
    """Positive definite matrices, as X^T X of `df` normal vectors with a covariance. As in `torch.distributions`.

    Shapes:
        df f32[...], covariance_matrix, precision_matrix or scale_tril f32[..., n, n]

    Source: M. S. Bartlett, "On the theory of statistical regression" (1933), for the draws.
    """

    support = constraints.positive_definite
    has_rsample = True
    _event_axes: ClassVar[dict[str, int]] = {"df": 0, "covariance_matrix": 2, "precision_matrix": 2, "scale_tril": 2}

    def __init__(
        self,
        df: Any,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        name, matrix = only_matrix(
            covariance_matrix, precision_matrix, scale_tril, AssertionError, "Wishart(df, scale_tril=L)"
        )
        size = matrix.shape[-1]
        freedom: Tensor = df if isinstance(df, Recorded) else tensor(df, dtype=matrix.dtype)  # type: ignore[assignment]
        batch = broadcast(tuple(matrix.shape[:-2]), tuple(freedom.shape))
        self.df = freedom.expand(batch)
        least = read(self.df).min(initial=math.inf)
        if least <= size - 1:
            raise ParameterError(f"Value of df={df} expected to be greater than ndim - 1 = {size - 1}. Fix: df={size}.")
        if least < size:
            warnings.warn(
                "Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < ndim.",
                stacklevel=2,
            )
        self.__dict__[name] = matrix.expand(*batch, size, size)
        super().__init__(Size(batch), Size((size, size)), validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, Constraint]:  # type: ignore[override]
        """How many degrees of freedom it takes depends on the size of the matrices."""
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self._event_shape[-1] - 1),
        }

    @cached_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        return cholesky_solve(eye(self._size, dtype=self._factor.dtype), self._factor)

    @property
    def _size(self) -> int:
        return int(self._event_shape[-1])

    @property
    def mean(self) -> Tensor:
        found: Tensor = self.df[..., None, None] * self.covariance_matrix
        return found

    @property
    def mode(self) -> Tensor:
        spare = self.df - self._size - 1
        found: Tensor = spare.masked_fill(spare <= 0, math.nan)[..., None, None] * self.covariance_matrix
        return found

    @property
    def variance(self) -> Tensor:
        covariance = self.covariance_matrix
        diagonal = covariance.diagonal(dim1=-2, dim2=-1)
        squares = covariance.pow(2) + diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)
        found: Tensor = self.df[..., None, None] * squares
        return found

    def rsample(self, sample_shape: Sequence[int] = (), max_try_correction: int | None = None) -> Tensor:
        drawn = self._drawn(sample_shape)
        # PyTorch replaces its first draws where they are regular; Kadam does so too, for the same numbers.
        again = self._regular(drawn, where=True)
        for _ in range(_TRIES if max_try_correction is None else max_try_correction):
            count = int(again.sum())
            if not count:
                break
            fresh = self._drawn((count,))
            drawn = drawn.index_put((again,), fresh) if again.dim() else fresh.reshape(drawn.shape)
            left = again.clone()
            left[again] = self._regular(fresh, where=False)
            again = left
        return drawn

    def _drawn(self, sample_shape: Sequence[int]) -> Tensor:
        """Matrices L A A^T L^T: the triangular A has chi-distributed numbers on its diagonal, normal ones below."""
        size, kind = self._size, self._factor.dtype
        freedom = self.df.unsqueeze(-1) - arange(size, dtype=kind)
        roots = Chi2(freedom, validate_args=False).rsample(sample_shape).sqrt().clamp(min=eps(kind))
        below = randn(*sample_shape, *self._batch_shape, size * (size - 1) // 2, dtype=kind)
        row, column = tril_indices(size, size, offset=-1)
        triangle = roots.diag_embed()
        triangle[..., row, column] = below
        root = self._factor @ triangle
        found: Tensor = root @ root.mT
        return found

    def _regular(self, drawn: Tensor, where: bool) -> Tensor:
        """Of each draw, over the whole batch: whether any matrix is (`where`) or is not positive definite."""
        found: Tensor = self.support.check(drawn) == where
        axes = tuple(range(-len(self._batch_shape), 0))
        return found.any(axes) if axes else found

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        df, size = self.df, self._size
        whole = df * (size * _LOG_2 / 2 + half_log_det(self._factor)) + mvlgamma(df / 2, size)
        spread = cholesky_solve(value, self._factor).diagonal(dim1=-2, dim2=-1).sum(-1)
        return (df - size - 1) / 2 * linalg.slogdet(value)[1] - spread / 2 - whole

    def entropy(self) -> Tensor:
        df, size = self.df, self._size
        whole = (size + 1) * (size * _LOG_2 / 2 + half_log_det(self._factor)) + mvlgamma(df / 2, size)
        found: Tensor = whole - (df - size - 1) / 2 * self._digamma + df * size / 2
        return found

    @property
    def _digamma(self) -> Tensor:
        """The derivative of the multivariate gamma function's logarithm, at df / 2."""
        return digamma(self.df.unsqueeze(-1) / 2 - arange(self._size, dtype=self.df.dtype) / 2).sum(-1)


__all__ = ["Wishart"]
