"""Matrices in the last two axes: what their factorisations and their derivatives are put together from."""

from __future__ import annotations

from kadam.dtypes import float32, float64, int64
from kadam.errors import DTypeError, ShapeError
from kadam.ir.builder import emit
from kadam.ir.graph import Node
from kadam.ir.primitive import Primitive
from kadam.ir.types import TensorType
from kadam.primitives.broadcast import stretch
from kadam.primitives.compare import Greater, GreaterEqual
from kadam.primitives.elementwise import WHOLES, Cast, conj, where
from kadam.primitives.move import Diagonal, DiagonalInsert, reshaped, transposed
from kadam.primitives.sources import Iota, full_like

COMPUTED = (float32, float64, *WHOLES.values())


def require_matrix(primitive: Primitive, a: TensorType, square: bool = True) -> None:
    """Refuse what is no matrix of a type that LAPACK computes with.

    Raises:
        ShapeError, DTypeError: `a` is none.
    """
    name = type(primitive).__name__
    if a.rank < 2:
        raise ShapeError(f"{name}: The input tensor A must have at least 2 dimensions, and it is {a}")
    if square and a.shape[-1] != a.shape[-2]:
        raise ShapeError(
            f"{name}: A must be batches of square matrices, but they are {a.shape[-2]} by {a.shape[-1]} matrices"
        )
    if a.dtype not in COMPUTED:
        raise DTypeError(f"{name}: not defined for {a}. Fix: cast it to float32 or float64 first.")


def require_equations(primitive: Primitive, a: TensorType, b: TensorType) -> None:
    """Refuse a and b that are not the two sides of a x = b.

    Raises:
        ShapeError, DTypeError: they are not.
    """
    require_matrix(primitive, a)
    if b.dtype is not a.dtype:
        raise DTypeError(f"{type(primitive).__name__}: a is {a}, b is {b}. Fix: cast one of them first.")
    if b.rank != a.rank or b.shape[:-1] != a.shape[:-1]:
        raise ShapeError(f"{type(primitive).__name__}: a x = b has no meaning for a {a} and b {b}: the rows differ")


def adjoint(a: Node) -> Node:
    """The conjugate transposes of the matrices."""
    return conj(transposed(a))


def triangle(a: Node, upper: bool, strict: bool = False) -> Node:
    """The matrices with zeros beyond one triangle; `strict` drops the diagonal too."""
    row, column = (emit(Iota(a.shape, a.rank - 2 + axis, int64)) for axis in range(2))
    inside = emit(Greater() if strict else GreaterEqual(), *((column, row) if upper else (row, column)))
    return where(inside, a, 0)


def diagonal(a: Node) -> Node:
    """The diagonals of the matrices, as vectors in the last axis."""
    return emit(Diagonal(0, a.rank - 2, a.rank - 1), a)


def with_diagonal(a: Node, vector: Node) -> Node:
    """The matrices with other diagonals."""
    return emit(DiagonalInsert(0, a.rank - 2, a.rank - 1), a, vector)


def halved_diagonal(a: Node) -> Node:
    """The matrices with their diagonals halved."""
    return with_diagonal(a, diagonal(a) * 0.5)


def scaled_columns(a: Node, factors: Node) -> Node:
    """The matrices with column j multiplied by `factors[..., j]`."""
    return a * stretch(reshaped(as_dtype_of(a, factors), (*factors.shape[:-1], 1, factors.shape[-1])), a.shape)


def scaled_rows(a: Node, factors: Node) -> Node:
    """The matrices with row i multiplied by `factors[..., i]`."""
    return a * stretch(reshaped(as_dtype_of(a, factors), (*factors.shape, 1)), a.shape)


def differences(values: Node, shape: tuple[int, ...]) -> Node:
    """The matrices of values[..., j] - values[..., i], with ones on the diagonal."""
    of_column = stretch(reshaped(values, (*values.shape[:-1], 1, values.shape[-1])), shape)
    of_row = stretch(reshaped(values, (*values.shape, 1)), shape)
    return with_diagonal(of_column - of_row, full_like(values, 1))


def as_dtype_of(model: Node, node: Node) -> Node:
    """`node` cast to the element type of `model`."""
    return node if node.dtype is model.dtype else emit(Cast(model.dtype), node)
