"""Ready-made parametrizations of weights. As `torch.nn.utils.parametrizations`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from kadam.autograd import no_grad
from kadam.nn.functional import normalize
from kadam.nn.modules.module import Module
from kadam.nn.utils.orthogonal import _Orthogonal
from kadam.nn.utils.parametrize import register_parametrization
from kadam.nn.utils.spectral_norm import as_matrix, draw_vector, output_axis
from kadam.nn.utils.weight_norm import norm_except_dim, scaled
from kadam.ops.contract import dot, mv

if TYPE_CHECKING:
    from kadam.tensor import Tensor

Kind = TypeVar("Kind", bound=Module)
_FIRST_ITERATIONS = 15


class _WeightNorm(Module):
    """A length and a direction as a weight."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return scaled(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The length and the direction of a weight."""
        return norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: Kind, name: str = "weight", dim: int | None = 0) -> Kind:
    """Weights as a length times a direction. As `parametrizations.weight_norm`.

    Source: T. Salimans and D. Kingma, "Weight Normalization" (2016).
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)
    return module


class _SpectralNorm(Module):
    """A weight divided by its largest singular value."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        if n_power_iterations <= 0:
            raise ValueError(
                "spectral_norm: Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}. Fix: n_power_iterations=1."
            )
        self.dim, self.eps, self.n_power_iterations = dim, eps, n_power_iterations
        if weight.dim() > 1:
            matrix = as_matrix(weight.detach(), dim)
            rows, columns = matrix.shape
            u, v = draw_vector(matrix, rows, eps), draw_vector(matrix, columns, eps)
            self.register_buffer("_u", u)
            self.register_buffer("_v", v)
            self._iterate(matrix, _FIRST_ITERATIONS)

    def _iterate(self, matrix: Tensor, times: int) -> None:
        with no_grad():
            for _ in range(times):
                self._u.copy_(normalize(mv(matrix, self._v), dim=0, eps=self.eps))
                self._v.copy_(normalize(mv(matrix.t(), self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.dim() == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        return weight / dot(self._u.clone(), mv(matrix, self._v.clone()))

    def right_inverse(self, value: Tensor) -> Tensor:
        """The value itself: it is divided when it is read."""
        return value


def spectral_norm(
    module: Kind, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Kind:
    """Weights divided by their largest singular value. As `parametrizations.spectral_norm`.

    Source: T. Miyato et al., "Spectral Normalization for Generative Adversarial Networks" (2018).
    """
    axis = output_axis(module) if dim is None else dim
    register_parametrization(module, name, _SpectralNorm(getattr(module, name), n_power_iterations, axis, eps))
    return module


def orthogonal(
    module: Kind, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Kind:
    """Weights whose rows or columns are orthonormal. As `parametrizations.orthogonal`.

    Args:
        module: is changed, and returned.
        name: of its weight, f32[..., rows, columns].
        orthogonal_map: "matrix_exp" (for squares by default), "cayley" or "householder".
        use_trivialization: whether the map is taken about the starting point.

    Raises:
        ValueError: there is no such weight, it is no matrix, or there is no such map.
    """
    weight = getattr(module, name, None)
    if weight is None or weight.ndim < 2:
        raise ValueError(
            f"orthogonal: Expected a matrix or batch of matrices {name!r} in {module}. Fix: name its weight."
        )
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1] or weight.is_complex()
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". '
            f"Got: {orthogonal_map}. Fix: leave it out."
        )
    register_parametrization(module, name, _Orthogonal(weight, orthogonal_map, use_trivialization), unsafe=True)
    return module


__all__ = ["orthogonal", "spectral_norm", "weight_norm"]
