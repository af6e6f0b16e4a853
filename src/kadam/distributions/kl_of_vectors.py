"""The Kullback-Leibler divergence of normal vectors, of full or of low rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kadam.distributions.covariance import distance, half_log_det
from kadam.distributions.distribution import ParameterError
from kadam.distributions.kl import register_kl
from kadam.distributions.lowrank_multivariate_normal import LowRankMultivariateNormal
from kadam.distributions.multivariate_normal import MultivariateNormal
from kadam.linalg import solve_triangular

if TYPE_CHECKING:
    from kadam.tensor import Tensor

    NormalVector = MultivariateNormal | LowRankMultivariateNormal


@register_kl(MultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _normal_vectors(p: NormalVector, q: NormalVector) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ParameterError(
            "KL-divergence between two (Low Rank) Multivariate Normals with different event shapes cannot be computed: "
            f"{tuple(p.event_shape)} and {tuple(q.event_shape)}. Fix: give vectors of one length."
        )
    between = sum(_trace(q, root) for root in _roots(p))
    found: Tensor = _spread(q) - _spread(p) + 0.5 * (between + _distance(q, q.loc - p.loc) - p.event_shape[0])
    return found


def _roots(p: NormalVector) -> list[Tensor]:
    """Matrices R the sum of whose R R^T is the covariance."""
    if isinstance(p, MultivariateNormal):
        return [p._factor]
    return [p.cov_factor, p.cov_diag.sqrt().diag_embed()]


def _trace(q: NormalVector, root: Tensor) -> Tensor:
    """The trace of precision R R^T."""
    if isinstance(q, MultivariateNormal):
        return _squares(solve_triangular(q._factor, root, upper=False))
    return _squares(root * q.cov_diag.rsqrt().unsqueeze(-1)) - _squares(q._reduced @ root)


def _squares(matrix: Tensor) -> Tensor:
    return matrix.pow(2).sum((-2, -1))


def _spread(p: NormalVector) -> Tensor:
    return half_log_det(p._factor) if isinstance(p, MultivariateNormal) else p._half_log_det


def _distance(q: NormalVector, gap: Tensor) -> Tensor:
    return distance(q._factor, gap) if isinstance(q, MultivariateNormal) else q._distance(gap)
