"""Functions of dense tensors, called with sparse ones: products, joins, and what makes zero of zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from kadam.errors import ShapeError, UnsupportedError
from kadam.ops.combine import cat as join
from kadam.recording.tensor import from_array, read
from kadam.shapes import axis_of
from kadam.sparse import products
from kadam.sparse.elementwise import times
from kadam.sparse.tensor import SparseTensor

KEEP_ZEROS = (
    "abs", "asin", "asinh", "atan", "atanh", "ceil", "deg2rad", "erf", "expm1", "floor", "log1p", "rad2deg", "relu",
    "round", "sgn", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc",
)  # fmt: skip


def elementwise(name: str) -> Callable[[SparseTensor], SparseTensor]:
    """A function that makes zero of zero, of the values alone; those of one place are added first."""

    def applied(input: SparseTensor) -> SparseTensor:
        once = input.coalesce()
        return once.like(getattr(once.parts, name)())

    applied.__doc__ = f"`{name}` of each value."
    return applied


def matmul(input: Any, other: Any) -> Any:
    """The product of matrices, or of a matrix and a vector, of which one is sparse; that of sparse ones is sparse."""
    if isinstance(input, SparseTensor):
        return input.matmul(other) if getattr(other, "ndim", 2) == 1 else products.mm(input, other)
    if input.dim() == 1:
        return other.t().matmul(input)
    if input.dim() != 2 or input.shape[1] != other.shape[0]:
        raise ShapeError(
            f"mm: mat1 and mat2 shapes cannot be multiplied ({list(input.shape)} and {list(other.shape)}). Fix: a "
            f"matrix of {other.shape[0]} columns."
        )
    return products.mm(other.t(), input.t()).t()


def power(input: SparseTensor, exponent: Any) -> SparseTensor:
    """Each value to a power that is above zero."""
    once = input.coalesce()
    return once.like(once.parts**exponent)


def norm(input: SparseTensor, p: Any = "fro", *_: Any) -> Any:
    """The norm of all values."""
    return input.coalesce().parts.norm(p)


def cat(tensors: Sequence[Any], dim: int = 0) -> SparseTensor:
    """Sparse tensors joined along a sparse axis.

    Raises:
        UnsupportedError: not all are sparse, or the axis is dense.
    """
    if not all(isinstance(one, SparseTensor) for one in tensors):
        raise UnsupportedError("cat: sparse tensors are joined with sparse ones only. Fix: x.to_sparse().")
    first = tensors[0]
    axis = axis_of(dim, first.ndim)
    if axis >= first.sparse_dim() or any(one.sparse_dim() != first.sparse_dim() for one in tensors):
        raise UnsupportedError("cat: sparse tensors are joined along sparse axes. Fix: x.to_dense().")
    shapes = [[size for other, size in enumerate(one.shape) if other != axis] for one in tensors]
    if any(shape != shapes[0] for shape in shapes):
        raise ShapeError(f"cat: the tensors differ in more than the size of axis {axis}: {shapes}. Fix: one shape.")
    ends = list(accumulate(one.shape[axis] for one in tensors))
    places = [read(one.places).copy() for one in tensors]
    for some, start in zip(places, [0, *ends], strict=False):
        some[axis] += start
    shape = tuple(ends[-1] if other == axis else size for other, size in enumerate(first.shape))
    return SparseTensor(from_array(np.concatenate(places, 1)), join([one.parts for one in tensors]), shape)


def stack(tensors: Sequence[Any], dim: int = 0) -> SparseTensor:
    """Sparse tensors joined along a new first axis.

    Raises:
        UnsupportedError: another axis.
    """
    if dim != 0:
        raise UnsupportedError("stack: sparse tensors are stacked along the first axis. Fix: dim=0.")
    return cat([one.below() for one in tensors])


_ANSWERS: dict[str, Callable[..., Any]] = {
    "mm": matmul,
    "matmul": matmul,
    "mv": matmul,
    "mul": lambda input, other: times(input, other) if isinstance(input, SparseTensor) else times(other, input),
    "cat": cat,
    "stack": stack,
    "neg": lambda input: -input,
    "t": lambda input: input.t(),
    "transpose": lambda input, first, second: input.transpose(first, second),
    **{name: elementwise(name) for name in KEEP_ZEROS},
}


def answer(name: str, arguments: Sequence[Any]) -> Any:
    """What a function of dense tensors returns for these arguments; NotImplemented where it needs dense ones."""
    function = _ANSWERS.get(name)
    return NotImplemented if function is None else function(*arguments)


_METHODS: dict[str, Any] = {"norm": norm, "pow": power, "__pow__": power, "answer_call": staticmethod(answer)}
for _name, _method in (_METHODS | {name: elementwise(name) for name in KEEP_ZEROS}).items():
    setattr(SparseTensor, _name, _method)
__all__ = ["answer"]
