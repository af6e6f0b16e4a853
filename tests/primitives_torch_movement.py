"""What PyTorch computes where Kadam applies a movement, indexing, contraction, window or factorisation primitive."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

Tensors = list[torch.Tensor]
Counterpart = Callable[[Any, Tensors], torch.Tensor]


def _dot(p: Any, inputs: Tensors) -> torch.Tensor:
    """By an outer product of everything, the shared axes being named by the same letter."""
    a, b = inputs
    names_a = list(range(a.ndim))
    names_b = [a.ndim + axis for axis in range(b.ndim)]
    for one, other in zip(p.a_batch + p.a_axes, p.b_batch + p.b_axes, strict=True):
        names_b[other] = one
    left = [axis for axis in range(a.ndim) if axis not in p.a_batch + p.a_axes]
    right = [names_b[axis] for axis in range(b.ndim) if axis not in p.b_batch + p.b_axes]
    return torch.einsum(a, names_a, b, names_b, [*p.a_batch, *left, *right])


def _key(p: Any, x: torch.Tensor, indices: Tensors) -> tuple[slice | torch.Tensor, ...]:
    key: list[slice | torch.Tensor] = [slice(None)] * x.ndim
    for axis, index in zip(p.axes, indices, strict=True):
        key[axis] = index
    return tuple(key)


def _put(p: Any, inputs: Tensors, accumulate: bool) -> torch.Tensor:
    """One assignment after another, in row-major order of the indices."""
    base, value, *indices = inputs
    result, places = base.clone(), indices[0].numel()
    first, last = p.axes[0], p.axes[-1]
    front = torch.movedim(
        value,
        list(range(at := first if last - first == len(p.axes) - 1 else 0, at + indices[0].ndim)),
        list(range(indices[0].ndim)),
    )
    rows = front.reshape(places, *front.shape[indices[0].ndim :])
    for place in range(places):
        where = _key(p, base, [index.reshape(-1)[place] for index in indices])
        result[where] = result[where] + rows[place] if accumulate else rows[place]
    return result


def _fold(p: Any, windows: torch.Tensor) -> torch.Tensor:
    shape = list(windows.shape[:-1])
    shape[p.axis] = p.length
    result = torch.zeros(shape, dtype=windows.dtype)
    for place in range(windows.shape[p.axis]):
        for tap in range(p.size):
            result.select(p.axis, place * p.step + tap * p.dilation).add_(windows.select(p.axis, place)[..., tap])
    return result


def _pad(x: torch.Tensor, padding: Sequence[tuple[int, int]], value: float) -> torch.Tensor:
    return torch.nn.functional.pad(x, [side for margins in reversed(padding) for side in margins], value=value)


def _window_argmax(p: Any, x: torch.Tensor) -> torch.Tensor:
    """By max_pool2d, whose padding is symmetric, on a plane that carries its own positions."""
    sizes = x.shape[x.ndim - len(p.kernel) :]
    places = torch.arange(sizes.numel()).reshape(sizes)
    lead, padded = x.shape[: x.ndim - len(p.kernel)], _pad(x, p.padding, float("-inf"))
    own = _pad(places, p.padding, -1)
    pool = {1: torch.nn.functional.max_pool1d, 2: torch.nn.functional.max_pool2d, 3: torch.nn.functional.max_pool3d}
    _, found = pool[len(p.kernel)](
        padded.reshape(1, -1, *own.shape), p.kernel, p.stride, 0, p.dilation, return_indices=True
    )
    return own.reshape(-1)[found].reshape(*lead, *found.shape[2:])


def _window_sum(p: Any, x: torch.Tensor) -> torch.Tensor:
    padded = _pad(x, p.padding, 0)
    for axis, (taps, step) in enumerate(zip(p.kernel, p.stride, strict=True), x.ndim - len(p.kernel)):
        padded = padded.unfold(axis, taps, step).sum(-1, dtype=x.dtype)
    return padded


def _window_spread(p: Any, ct: torch.Tensor) -> torch.Tensor:
    x = torch.zeros(*ct.shape[: ct.ndim - len(p.size)], *p.size, dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(_window_sum(p, x), x, ct.double())
    return grad.to(ct.dtype)


def _convolve(p: Any, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    function = {1: torch.nn.functional.conv1d, 2: torch.nn.functional.conv2d, 3: torch.nn.functional.conv3d}
    padded = _pad(x, p.padding, 0)
    return function[len(p.stride)](padded, w, None, p.stride, 0, p.dilation, p.groups)


def _convolve_input(p: Any, y: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    x = torch.zeros(len(y), w.shape[1] * p.groups, *p.size, dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(_convolve(p, x, w.double()), x, y.double())
    return grad.to(y.dtype)


def _convolve_weight(p: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    w = torch.zeros(y.shape[1], x.shape[1] // p.groups, *p.kernel, dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(_convolve(p, x.double(), w), w, y.double())
    return grad.to(x.dtype)


def _row_order(p: Any, pivots: torch.Tensor) -> torch.Tensor:
    rows = torch.zeros(*pivots.shape[:-1], p.rows, pivots.shape[-1], dtype=torch.float64)
    return torch.lu_unpack(rows, pivots).P.argmax(-2)


TABLE: dict[str, Counterpart] = {
    "Concat": lambda p, x: torch.cat(x, p.axis),
    "Flip": lambda p, x: torch.flip(x[0], p.axes),
    "AsStrided": lambda p, x: torch.as_strided(x[0], p.shape, p.strides, p.offset),
    "Gcd": lambda p, x: torch.gcd(x[0], x[1]),
    "Exponent": lambda p, x: torch.frexp(x[0]).exponent,
    "IncompleteGamma": lambda p, x: (torch.special.gammaincc if p.upper else torch.special.gammainc)(x[0], x[1]),
    "Diagonal": lambda p, x: torch.diagonal(x[0], p.offset, p.axis1, p.axis2),
    "DiagonalInsert": lambda p, x: torch.diagonal_scatter(x[0], x[1], p.offset, p.axis1, p.axis2),
    "Gather": lambda p, x: torch.gather(x[0], p.axis, x[1]),
    "Scatter": lambda p, x: torch.scatter(x[0], p.axis, x[2], x[1]),
    "ScatterEqual": lambda p, x: torch.scatter(x[0], p.axis, x[2], x[1]),
    "ScatterAdd": lambda p, x: torch.scatter_add(x[0], p.axis, x[2], x[1]),
    "ScatterReduce": lambda p, x: torch.scatter_reduce(x[0], p.axis, x[2], x[1], p.reduce),
    "Index": lambda p, x: x[0][_key(p, x[0], x[1:])],
    "IndexPut": lambda p, x: _put(p, x, accumulate=False),
    "IndexAdd": lambda p, x: _put(p, x, accumulate=True),
    "SortIndices": lambda p, x: torch.argsort(x[0], dim=p.axis, descending=p.descending, stable=True),
    "TopKIndices": lambda p, x: torch.topk(x[0], p.k, p.axis, p.largest).indices,
    "RankIndex": lambda p, x: torch.kthvalue(x[0], p.rank + 1, p.axis).indices,
    "ModeIndices": lambda p, x: torch.mode(x[0], p.axis).indices,
    "SearchSorted": lambda p, x: torch.searchsorted(x[0], x[1], right=p.right),
    "Dot": _dot,
    "Fourier": lambda p, x: (
        torch.fft.ifftn(x[0], dim=p.axes, norm="forward") if p.inverse else torch.fft.fftn(x[0], dim=p.axes)
    ),
    "Inverse": lambda p, x: torch.linalg.inv(x[0]),
    "Solve": lambda p, x: torch.linalg.solve(x[0], x[1]),
    "TriangularSolve": lambda p, x: torch.linalg.solve_triangular(*x, upper=p.upper, unitriangular=p.unit),
    "Det": lambda p, x: torch.linalg.det(x[0]),
    "SlogDet": lambda p, x: getattr(torch.linalg.slogdet(x[0]), p.part),
    "MatrixExp": lambda p, x: torch.linalg.matrix_exp(x[0]),
    "Cholesky": lambda p, x: torch.linalg.cholesky(x[0]),
    "CholeskyInfo": lambda p, x: torch.linalg.cholesky_ex(x[0]).info,
    "Lu": lambda p, x: torch.linalg.lu_factor_ex(x[0]).LU,
    "LuPivots": lambda p, x: torch.linalg.lu_factor_ex(x[0]).pivots,
    "LuInfo": lambda p, x: torch.linalg.lu_factor_ex(x[0]).info,
    "RowOrder": lambda p, x: _row_order(p, x[0]),
    "Ldl": lambda p, x: dict(
        zip(("ld", "pivots", "info"), torch.linalg.ldl_factor_ex(x[0], hermitian=p.hermitian), strict=True)
    )[p.part],
    "LdlSolve": lambda p, x: torch.linalg.ldl_solve(x[0].contiguous(), x[1], x[2], hermitian=p.hermitian),
    "Reflections": lambda p, x: torch.geqrf(x[0])[p.part == "factors"],
    "PseudoInverse": lambda p, x: torch.linalg.pinv(x[0], atol=x[1], hermitian=p.hermitian),
    "Eigh": lambda p, x: getattr(torch.linalg.eigh(x[0]), f"eigen{p.part}"),
    "Eig": lambda p, x: getattr(torch.linalg.eig(x[0]), f"eigen{p.part}"),
    "Svd": lambda p, x: getattr(torch.linalg.svd(x[0], full_matrices=p.full), {"u": "U", "s": "S", "vh": "Vh"}[p.part]),
    "Qr": lambda p, x: getattr(torch.linalg.qr(x[0], "complete" if p.complete else "reduced"), p.part.upper()),
    "Convolve": lambda p, x: _convolve(p, x[0], x[1]),
    "ConvolveInput": lambda p, x: _convolve_input(p, x[0], x[1]),
    "ConvolveWeight": lambda p, x: _convolve_weight(p, x[0], x[1]),
    "WindowArgMax": lambda p, x: _window_argmax(p, x[0]),
    "WindowPick": lambda p, x: _picked(p, x[0], x[1]),
    "WindowPlace": lambda p, x: _placed(p, x[0], x[1]),
    "WindowSum": lambda p, x: _window_sum(p, x[0]),
    "WindowSpread": lambda p, x: _window_spread(p, x[0]),
    "Windows": lambda p, x: x[0].unfold(p.axis, (p.size - 1) * p.dilation + 1, p.step)[..., :: p.dilation],
    "Overlap": lambda p, x: _fold(p, x[0]),
}


def _picked(p, x, position):
    lead = position.shape[: -len(p.kernel)]
    return x.reshape(*lead, -1).gather(-1, position.reshape(*lead, -1)).reshape(position.shape)


def _placed(p, picked, position):
    lead = picked.shape[: -len(p.size)]
    planes = torch.zeros(*lead, math.prod(p.size), dtype=picked.dtype)
    return planes.scatter_add(-1, position.reshape(*lead, -1), picked.reshape(*lead, -1)).reshape(*lead, *p.size)
