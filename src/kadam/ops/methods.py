"""Methods of a tensor that `torch` has as functions too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kadam.linalg import matrix_norm, vector_norm
from kadam.ops.strided import as_strided_
from kadam.tensor import Tensor

arccos_, arccosh_, arcsin_, arcsinh_ = Tensor.arccos_, Tensor.arccosh_, Tensor.arcsin_, Tensor.arcsinh_
arctan_, arctanh_, conj_physical_, detach_ = Tensor.arctan_, Tensor.arctanh_, Tensor.conj_physical_, Tensor.detach_
gcd_, i0_, lcm_, ldexp_ = Tensor.gcd_, Tensor.i0_, Tensor.lcm_, Tensor.ldexp_


def nuclear_norm(input: Tensor, dim: Sequence[int] = (-2, -1), keepdim: bool = False) -> Tensor:
    """The sum of the singular values. As `torch.nuclear_norm`."""
    return matrix_norm(input, "nuc", dim, keepdim)


def frobenius_norm(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The root of the sum of the squares, over all axes or some. As `torch.frobenius_norm`."""
    return vector_norm(input, 2, dim or None, keepdim)


def slice_copy(input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    """Elements start, start + step ... before `end` along one axis, in memory of their own. As `torch.slice_copy`."""
    return input[(slice(None),) * (dim % input.dim()) + (slice(start, end, step),)].clone()


def indices_copy(input: Any) -> Tensor:
    """The places of a sparse tensor, in memory of their own. As `torch.indices_copy`."""
    return input.indices().clone()  # type: ignore[no-any-return]


def values_copy(input: Any) -> Tensor:
    """The values of a sparse tensor, in memory of their own. As `torch.values_copy`."""
    return input.values().clone()  # type: ignore[no-any-return]


__all__ = [
    "arccos_", "arccosh_", "arcsin_", "arcsinh_", "arctan_", "arctanh_", "as_strided_", "conj_physical_", "detach_",
    "frobenius_norm", "gcd_", "i0_", "indices_copy", "lcm_", "ldexp_", "nuclear_norm", "slice_copy", "values_copy",
]  # fmt: skip
