"""What writers of distributions use. As `torch.distributions.utils`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kadam.distributions.categorical import inside
from kadam.distributions.distribution import together
from kadam.ops.creation import ones
from kadam.ops.random import randn
from kadam.ops.softmax import softmax
from kadam.recording.modes import grad_mode

if TYPE_CHECKING:
    from kadam.dtypes import dtype
    from kadam.tensor import Tensor

euler_constant = 0.57721566490153286060  # the Euler-Mascheroni constant


class lazy_property(cached_property[Any]):  # noqa: N801  (its name in PyTorch)
    """A property that is computed when it is first asked for; its gradient is always recorded."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with grad_mode(True):
            return super().__get__(instance, owner)


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Numbers and tensors as tensors of one shape.

    Raises:
        ValueError: something is neither.
    """
    wrong = [value for value in values if not (isinstance(value, int | float) or hasattr(value, "_spec"))]
    if wrong:
        raise ValueError(
            f"broadcast_all: Input arguments must all be instances of Number or torch.Tensor, not "
            f"{type(wrong[0]).__name__}. Fix: torch.tensor(value)."
        )
    return together(*values)


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities, kept off 0 and 1 so that their logarithms are finite."""
    return inside(probs)


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Probabilities, from log(p / (1 - p)) or from logarithms up to a constant along the last axis."""
    return logits.sigmoid() if is_binary else softmax(logits, -1)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """log(p / (1 - p)), or the logarithms of probabilities along the last axis."""
    kept = inside(probs)
    return kept.log() - (-kept).log1p() if is_binary else kept.log()


def _standard_normal(shape: Sequence[int], dtype: dtype, device: Any) -> Tensor:
    """Samples of N(0, 1)."""
    return randn(*shape, dtype=dtype, device=device)


def _sum_rightmost(value: Tensor, dim: int) -> Tensor:
    """The sums over the last `dim` axes, which are one event."""
    found: Tensor = value if dim == 0 else value.reshape(*value.shape[: value.dim() - dim], -1).sum(-1)
    return found


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The elements of matrices up to a diagonal, row by row.

    Raises:
        ValueError: the matrices have no such diagonal.
    """
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}]. Fix: 0 is the main diagonal.")
    found: Tensor = mat[..., ones(n, n).tril(diag).bool()]
    return found


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """Matrices with the given elements up to a diagonal, row by row, and zeros above it: `tril_matrix_to_vec` undone.

    Raises:
        ValueError: no matrix has that many elements there.
    """
    count, odd = vec.shape[-1], 1 + 2 * diag
    n = round((-odd + math.sqrt(odd**2 + 8 * count + 4 * abs(diag) * (diag + 1))) / 2)
    below = ones(n, n).tril(diag).bool()
    if int(below.sum()) != count:
        raise ValueError(
            f"The size of last dimension is {count} which cannot be expressed as the lower triangular part of a square "
            "D x D matrix. Fix: give D (D + 1) / 2 elements, or D (D - 1) / 2 with diag=-1."
        )
    at = below.reshape(-1).nonzero().squeeze(-1)
    flat = vec.new_zeros((*vec.shape[:-1], n * n)).index_copy(-1, at, vec)
    return flat.reshape(*vec.shape[:-1], n, n)


__all__ = [
    "broadcast_all", "clamp_probs", "euler_constant", "lazy_property", "logits_to_probs", "probs_to_logits",
    "tril_matrix_to_vec", "vec_to_tril_matrix",
]  # fmt: skip
