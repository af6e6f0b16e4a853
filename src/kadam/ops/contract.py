"""Products summed over axes: matrices, vectors, batches of them, and Einstein's notation."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.dtypes import dtype
from kadam.errors import DTypeError, OperandError, ShapeError
from kadam.ops.arithmetic import _scaled
from kadam.ops.pointwise import conj
from kadam.ops.promotion import as_tensor_of, cast, result_type, stretched
from kadam.ops.require import ArgumentError
from kadam.primitives.broadcast import Sum
from kadam.primitives.contract import Dot
from kadam.primitives.elementwise import Add, Mul
from kadam.primitives.move import Diagonal, Permute, Reshape
from kadam.recording.arguments import guarded, require_tensors
from kadam.recording.calls import answered, emit
from kadam.recording.in_place import in_place
from kadam.recording.older_order import takes_older_order
from kadam.recording.operation import operation
from kadam.recording.place import in_operator
from kadam.recording.precision import lowered
from kadam.recording.step import state
from kadam.recording.tensor import Recorded
from kadam.shapes import axis_of, broadcast, count

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


def _one_type(name: str, a: Tensor, b: Tensor) -> None:
    if a.dtype is not b.dtype:
        raise DTypeError(
            f"{name}: expected m1 and m2 to have the same dtype, but got: {_kind(a.dtype)} != {_kind(b.dtype)}. "
            "Fix: convert one of them, for example with .float()."
        )


def _kind(record: dtype) -> str:
    return {"float32": "float", "float64": "double", "int64": "long", "int32": "int"}.get(record.name, record.name)


def _no_product(a: Tensor, b: Tensor) -> ShapeError:
    rows = count(a.shape[:-1])
    return ShapeError(
        f"mat1 and mat2 shapes cannot be multiplied ({rows}x{a.shape[-1]} and {b.shape[-2]}x{b.shape[-1]}): "
        f"cannot multiply {a._spec.type} by {b._spec.type}: a has {a.shape[-1]} columns, b has {b.shape[-2]} rows. "
        f"Fix: {'a @ b.mT' if b.shape[-1] == a.shape[-1] else f'b needs {a.shape[-1]} rows'}."
    )


def _ranked(name: str, input: Tensor, rank: int, what: str) -> None:
    if len(input.shape) != rank:
        raise ShapeError(
            f"{name}: {what} must be a {rank}-D tensor, got {len(input.shape)}-D. Fix: reshape it; torch.matmul takes "
            "vectors, matrices and batches."
        )


@operation
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices. As `torch.mm`.

    Shapes:
        input f32[n, m], mat2 f32[m, p] -> f32[n, p]
    """
    _ranked("mm", input, 2, "self")
    _ranked("mm", mat2, 2, "mat2")
    _one_type("mm", input, mat2)
    if input.shape[1] != mat2.shape[0]:
        raise _no_product(input, mat2)
    return emit(Dot((), (), (1,), (0,)), input, mat2)


@operation
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector. As `torch.mv`."""
    _ranked("mv", input, 2, "input")
    _ranked("mv", vec, 1, "vec")
    _one_type("mv", input, vec)
    if input.shape[1] != vec.shape[0]:
        raise ShapeError(
            f"mv: size mismatch, got input ({input.shape[0]}), mat ({input.shape[0]}x{input.shape[1]}), vec "
            f"({vec.shape[0]}). Fix: give a vector of {input.shape[1]} numbers."
        )
    return emit(Dot((), (), (1,), (0,)), input, vec)


@operation
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The sum of products of two vectors. As `torch.dot`."""
    if len(input.shape) != 1 or len(tensor.shape) != 1:
        raise ShapeError(
            f"dot: 1D tensors expected, but got {len(input.shape)}D and {len(tensor.shape)}D tensors. Fix: flatten() "
            "them, or use torch.matmul."
        )
    if input.dtype is not tensor.dtype:
        raise DTypeError(
            f"dot : expected both vectors to have same dtype, but found {_kind(input.dtype).capitalize()} and "
            f"{_kind(tensor.dtype).capitalize()}. Fix: convert one of them, for example tensor.to(input.dtype)."
        )
    if input.shape != tensor.shape:
        raise ShapeError(
            f"dot: inconsistent tensor size, expected tensor [{input.shape[0]}] and src [{tensor.shape[0]}] to have "
            f"the same number of elements, but got {input.shape[0]} and {tensor.shape[0]} elements respectively. Fix: "
            "give vectors of one size."
        )
    return emit(Dot((), (), (0,), (0,)), input, tensor)


def vdot(input: Tensor, other: Tensor) -> Tensor:
    """The sum of products of two vectors, the first one conjugated. As `torch.vdot`."""
    return dot(conj(input), other)


def inner(input: Tensor, other: Tensor) -> Tensor:
    """The sum of products over the last axes. As `torch.inner`."""
    if not input.shape or not other.shape:
        return input * other
    return tensordot(input, other, ([-1], [-1]))


@operation
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices. As `torch.bmm`.

    Shapes:
        input f32[b, n, m], mat2 f32[b, m, p] -> f32[b, n, p]
    """
    _ranked("bmm", input, 3, "batch1")
    _ranked("bmm", mat2, 3, "batch2")
    _one_type("bmm", input, mat2)
    if input.shape[0] != mat2.shape[0] or input.shape[2] != mat2.shape[1]:
        raise ShapeError(
            f"bmm: Expected size for first two dimensions of batch2 tensor to be: [{input.shape[0]}, {input.shape[2]}] "
            f"but got: [{mat2.shape[0]}, {mat2.shape[1]}]. Fix: transpose(1, 2) one of them, or give one batch size."
        )
    return emit(Dot((0,), (0,), (2,), (1,)), input, mat2)


@operation(grad="UnsafeViewBackward0")
def _batched(input: Tensor, other: Tensor) -> Tensor:
    """A product of matrices with batch axes that stretch to each other."""
    a, b = input, other
    vector_left, vector_right = len(a.shape) == 1, len(b.shape) == 1
    if vector_left:
        a = emit(Reshape((1, *a.shape)), a)
    if vector_right:
        b = emit(Reshape((*b.shape, 1)), b)
    if a.shape[-1] != b.shape[-2]:
        raise _no_product(a, b)
    if len(b.shape) == 2:
        result = emit(Dot((), (), (len(a.shape) - 1,), (0,)), a, b)
    else:
        batch = broadcast(tuple(a.shape[:-2]), tuple(b.shape[:-2]))
        rank = len(batch)
        a = stretched(a, (*batch, *a.shape[-2:]))
        b = stretched(b, (*batch, *b.shape[-2:]))
        axes = tuple(range(rank))
        result = emit(Dot(axes, axes, (rank + 1,), (rank,)), a, b)
    shape = list(result.shape)
    if vector_right:
        del shape[-1]
    if vector_left:
        del shape[-1 if vector_right else -2]
    return result if len(shape) == len(result.shape) else emit(Reshape(tuple(shape)), result)


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The product of vectors, matrices or batches of them. As `torch.matmul`.

    Raises:
        ShapeError: the inner sizes differ, or an operand has no axes.
        DTypeError: the operands have different types.
    """
    try:
        left, right = len(input._spec.shape), len(other._spec.shape)
    except AttributeError:
        if isinstance(other, np.ndarray) and in_operator():
            return NotImplemented  # as for the operations: see `calls.refuse`
        if (found := answered("matmul", (input, other))) is not NotImplemented:
            return found  # type: ignore[no-any-return]
        require_tensors("matmul", input=input, other=other)
        raise
    if left == 2 and right == 2:
        return mm(input, other)
    if state.lower is not None:
        input, other = lowered((input, other))
    if input._spec.dtype is not other._spec.dtype:
        _one_type("matmul", input, other)
    if left == 2 and right == 1:
        return mv(input, other)
    if left == 1 and right == 1:
        return dot(input, other)
    if not left or not right:
        raise ShapeError(
            f"matmul: both arguments to matmul need to be at least 1D, but they are {left}D and {right}D. Fix: "
            "multiply a number by *."
        )
    return _batched(input, other)


def rmatmul(self: Tensor, other: Tensor) -> Tensor:
    """other @ self."""
    return matmul(other, self)


def _added(input: Tensor, product: Tensor, beta: Any, alpha: Any) -> Tensor:
    """In a body: beta * input + alpha * product."""
    product = _scaled(product, alpha)
    if not isinstance(beta, Recorded) and beta == 0:
        return product
    base = stretched(as_tensor_of(input, product.dtype), tuple(product.shape))
    return emit(Add(), _scaled(base, beta), product)


@operation(once=True)
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2). As `torch.addmm`."""
    return _added(input, mm(mat1, mat2), beta, alpha)


@operation(once=True)
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta * input + alpha * (mat @ vec). As `torch.addmv`."""
    return _added(input, mv(mat, vec), beta, alpha)


@operation(once=True)
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta * input + alpha * (batch1 @ batch2). As `torch.baddbmm`."""
    return _added(input, bmm(batch1, batch2), beta, alpha)


@operation(once=True)
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta * input + alpha * the sum of batch1 @ batch2. As `torch.addbmm`."""
    return _added(input, emit(Sum((0,)), bmm(batch1, batch2)), beta, alpha)


@operation(once=True)
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta * input + alpha * outer(vec1, vec2). As `torch.addr`."""
    return _added(input, outer(vec1, vec2), beta, alpha)


takes_older_order("input beta alpha mat1 mat2", addmm)
takes_older_order("input beta alpha mat vec", addmv)
takes_older_order("input beta alpha batch1 batch2", addbmm, baddbmm)
takes_older_order("input beta alpha vec1 vec2", addr)


@operation(grad="MulBackward0")
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """All products of the elements of two vectors. As `torch.outer`."""
    if len(input.shape) != 1 or len(vec2.shape) != 1:
        raise ShapeError(
            f"outer: Expected 1-D arguments, but got {len(input.shape)}-D and {len(vec2.shape)}-D. Fix: flatten() them."
        )
    return input.reshape(-1, 1) * vec2


ger = outer


def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of several matrices. As `torch.chain_matmul`."""
    result = matrices[0]
    for matrix in matrices[1:]:
        result = matmul(result, matrix)
    return result


@operation(grad="ViewBackward0")
def _tensordot(a: Tensor, b: Tensor, a_axes: tuple[int, ...], b_axes: tuple[int, ...]) -> Tensor:
    for one, other in zip(a_axes, b_axes, strict=True):
        if a.shape[one] == 1 != b.shape[other]:
            b = b.sum(other, True)
        elif b.shape[other] == 1 != a.shape[one]:
            a = a.sum(one, True)
        if a.shape[one] != b.shape[other]:
            raise ShapeError(
                f"tensordot: contracted dimensions need to match, but first has size {a.shape[one]} in dim {one} and "
                f"second has size {b.shape[other]} in dim {other}. Fix: name the axes of one size by dims=([...], "
                "[...])."
            )
    if count(a.shape) == count(b.shape) == count([a.shape[axis] for axis in a_axes]):
        return emit(Dot((), (), a_axes, b_axes), a, b)  # one number: no product of matrices, see `precision`
    return _contracted(a, b, ((), (), a_axes, b_axes))


@guarded
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """The sum of products over the named axes of two tensors. As `torch.tensordot`."""
    if isinstance(dims, str | float) or dims is None:
        raise ShapeError(
            "tensordot expects dims to be int or tuple[list[int], list[int]] or list[list[int]] containing two lists, "
            f"but got dims={dims}. Fix: dims=1, or dims=([1], [0])."
        )
    if isinstance(dims, int):
        pairs = (list(range(len(a.shape) - dims, len(a.shape))), list(range(dims)))
    else:
        pairs = tuple([one] if isinstance(one, int) else list(one) for one in dims)  # type: ignore[assignment]
    left = tuple(axis % len(a.shape) for axis in pairs[0])
    right = tuple(axis % len(b.shape) for axis in pairs[1])
    _one_type("tensordot", a, b)
    return _tensordot(a, b, left, right)


@guarded
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product. As `torch.kron`."""
    rank = max(len(input.shape), len(other.shape))
    a = (1,) * (rank - len(input.shape)) + tuple(input.shape)
    b = (1,) * (rank - len(other.shape)) + tuple(other.shape)
    left = input.reshape([part for size in a for part in (size, 1)])
    right = other.reshape([part for size in b for part in (1, size)])
    return (left * right).reshape([x * y for x, y in zip(a, b, strict=True)])


def cross(input: Tensor, other: Tensor, dim: int = -1) -> Tensor:
    """The cross product of vectors in space, stretched to each other. As `torch.linalg.cross`.

    Raises:
        ShapeError: the axis has not three elements.
    """
    from kadam.ops.combine import stack

    if len(input.shape) != len(other.shape):
        raise ShapeError(
            f"linalg.cross: inputs must have the same number of dimensions: they are {list(input.shape)} and "
            f"{list(other.shape)}. Fix: unsqueeze() one of them."
        )
    shape = broadcast(tuple(input.shape), tuple(other.shape))
    axis = axis_of(dim, len(shape))
    if shape[axis] != 3 or input.shape[dim] != 3 or other.shape[dim] != 3:
        raise ShapeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {input.shape[dim]} and {other.shape[dim]}. "
            "Fix: give vectors of 3 numbers along dim, or another dim."
        )
    a, b = input.expand(shape).unbind(axis), other.expand(shape).unbind(axis)
    return stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]], axis)


def cross_of_first_axis(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """`linalg.cross`, by default along the first axis of three elements. As `torch.cross`.

    Raises:
        ShapeError: no axis has three elements.
    """
    if dim is None:
        shape = broadcast(tuple(input.shape), tuple(other.shape))
        if 3 not in shape:
            raise ShapeError(
                f"cross: no dimension of size 3 in input: the shape is {list(shape)}. Fix: give vectors of 3 numbers."
            )
        dim = shape.index(3) - len(shape)
    return cross(input, other, dim)


def _terms(equation: str, operands: Sequence[Tensor]) -> tuple[list[str], str]:
    """The letters of each operand's axes and of the result's, `...` spelt out in letters of its own."""
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands):
        raise ShapeError(
            f"einsum(): {'more' if len(operands) > len(terms) else 'fewer'} operands were provided than specified in "
            f"the equation: {len(operands)} for {len(terms)} terms. Fix: one term for each operand, separated by "
            "commas."
        )
    _check_letters(equation, output)
    free = [chr(code) for code in range(0x3B1, 0x3B1 + 24)]
    widest = 0
    spelt = []
    for term, operand in zip(terms, operands, strict=True):
        extra = len(operand.shape) - len(term.replace("...", ""))
        if extra < 0 or (extra and "..." not in term):
            raise ShapeError(
                f"einsum(): the number of subscripts in the equation ({len(term)}) does not match the number of "
                f"dimensions ({len(operand.shape)}) for an operand. Fix: one letter for each axis, or '...' for the "
                "rest."
            )
        widest = max(widest, extra)
        spelt.append(term.replace("...", "".join(free[24 - extra :]) if extra else ""))
    dots = "".join(free[24 - widest :]) if widest else ""
    if not arrow:
        letters = sorted({letter for letter in inputs if letter.isalpha()})
        output = dots + "".join(letter for letter in letters if inputs.count(letter) == 1)
    return spelt, output.replace("...", dots)


def _check_letters(equation: str, output: str) -> None:
    for place, letter in enumerate(equation.replace("...", "   ").replace("->", "  ")):
        if letter not in ", " and not (letter.isascii() and letter.isalpha()):
            raise ShapeError(
                f"einsum(): invalid subscript {letter!r} given at index {place} in the equation string, subscripts "
                "must be in [a-zA-Z]. Fix: one letter for each axis: 'ij,jk->ik'."
            )
    twice = next((letter for letter in output if letter.isalpha() and output.count(letter) > 1), None)
    if twice is not None:
        raise ShapeError(
            f"einsum(): output subscript {twice} appears more than once in the output. Fix: torch.diag_embed of the "
            "result makes a diagonal."
        )


@operation(grad="ViewBackward0")
def _einsum(equation: str, operands: Sequence[Tensor]) -> Tensor:
    terms, output = _terms(equation, operands)
    parts = [_without_repeats(part, term) for part, term in zip(operands, terms, strict=True)]
    result, term = parts[0]
    for index, (part, other) in enumerate(parts[1:], start=1):
        later = output + "".join(after for _, after in parts[index + 1 :])
        result, term = _pair(result, term, part, other, later)
    dropped = tuple(axis for axis, letter in enumerate(term) if letter not in output)
    if dropped:
        result = emit(Sum(dropped), result)
        term = "".join(letter for letter in term if letter in output)
    unknown = [letter for letter in output if letter not in term]
    if unknown:
        raise ShapeError(
            f"einsum(): output subscript {unknown[0]} does not appear in the equation for any operand. Fix: use "
            "letters of the operands after '->'."
        )
    order = tuple(term.index(letter) for letter in output)
    return result if order == tuple(range(len(order))) else emit(Permute(order), result)


def _without_repeats(operand: Tensor, term: str) -> tuple[Tensor, str]:
    """In a body: an operand with each letter once; a letter that stands twice means the diagonal."""
    for letter in dict.fromkeys(term):
        while term.count(letter) > 1:
            first = term.index(letter)
            second = term.index(letter, first + 1)
            operand = emit(Diagonal(0, first, second), operand)
            term = term[:first] + term[first + 1 : second] + term[second + 1 :] + letter
    return operand, term


def _pair(a: Tensor, a_term: str, b: Tensor, b_term: str, later: str) -> tuple[Tensor, str]:
    """In a body: two operands contracted over the letters that nothing later needs."""
    sizes, sizes_of_a = dict(zip(a_term, a.shape, strict=True)), dict(zip(a_term, a.shape, strict=True))
    sizes_of_b = dict(zip(b_term, b.shape, strict=True))
    for letter, size in zip(b_term, b.shape, strict=True):
        if sizes.get(letter, 1) == 1:
            sizes[letter] = size
        elif size not in (1, sizes[letter]):
            raise ShapeError(
                f"einsum(): subscript {letter} has size {size} for an operand which does not broadcast with previously "
                f"seen size {sizes[letter]}. Fix: use one letter for axes of one size only."
            )
    a = stretched(
        a, tuple(sizes[letter] if letter in b_term else own for letter, own in zip(a_term, a.shape, strict=True))
    )
    b = stretched(
        b, tuple(sizes[letter] if letter in a_term else own for letter, own in zip(b_term, b.shape, strict=True))
    )
    shared = [letter for letter in a_term if letter in b_term]
    batch = [letter for letter in shared if letter in later]
    summed = [letter for letter in shared if letter not in later]
    place = (
        tuple(a_term.index(letter) for letter in batch),
        tuple(b_term.index(letter) for letter in batch),
        tuple(a_term.index(letter) for letter in summed),
        tuple(b_term.index(letter) for letter in summed),
    )
    rest = [x for x in a_term if x not in shared] + [x for x in b_term if x not in shared]
    if any(sizes_of_a[letter] != 1 != sizes_of_b[letter] for letter in summed):
        return _contracted(a, b, place), "".join(batch + rest)
    record = result_type(a, b)  # PyTorch multiplies
    a, b = cast(a, record), cast(b, record)
    if not summed and not rest:
        return emit(Mul(), a, emit(Permute(tuple(b_term.index(x) for x in a_term)), b)), a_term
    return emit(Dot(*place), a, b), "".join(batch + rest)


@operation(grad="BmmBackward0")
def _contracted(a: Tensor, b: Tensor, axes: tuple[tuple[int, ...], ...]) -> Tensor:
    _one_type("einsum", a, b)
    return emit(Dot(*axes), a, b)


def _spelled(parts: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
    """The equation, and the operands, of operands that stand beside the numbers of their axes.

    Raises:
        ArgumentError: an axis is a number that is not from 0 to 51.
        OperandError: an axis is no number and no ellipsis.
    """

    def term(axes: Sequence[Any]) -> str:
        wrong = [axis for axis in axes if axis is not Ellipsis and axis not in range(len(ascii_letters))]
        if wrong:
            kind = ArgumentError if isinstance(wrong[0], int) else OperandError
            raise kind(
                f"einsum: {wrong[0]!r} is no axis: not within the valid range [0, 52). Fix: "
                "einsum(a, [0, 1], b, [1, 2])."
            )
        return "".join(["..." if axis is Ellipsis else ascii_letters[axis] for axis in axes])

    operands, lists = parts[: len(parts) // 2 * 2 : 2], parts[1::2]
    equation = ",".join(map(term, lists))
    return (f"{equation}->{term(parts[-1])}" if len(parts) % 2 else equation), tuple(operands)


def einsum(equation: Any, *operands: Any) -> Tensor:
    """Products summed as Einstein's notation says. As `torch.einsum`.

    Args:
        equation: as "ij,jk->ik"; or the first operand, and the others, each followed by the list of its axes' numbers,
            at the end the list of the result's.
        operands: what the equation names.

    Raises:
        ShapeError: the operands do not fit the equation.
    """
    if isinstance(equation, Recorded):
        equation, operands = _spelled((equation, *operands))
    given = operands[0] if len(operands) == 1 and isinstance(operands[0], list | tuple) else operands
    if not isinstance(equation, str):
        raise OperandError(
            f"einsum(): argument 'equation' (position 1) must be str, not {type(equation).__name__}. Fix: "
            "torch.einsum('ij,jk->ik', a, b)."
        )
    if not given:
        raise ArgumentError(
            "einsum(): must specify the equation string and at least one operand. Fix: torch.einsum('ij->ji', a)."
        )
    return _einsum(equation, list(given))


addmm_, addmv_, baddbmm_, addbmm_, addr_ = map(in_place, (addmm, addmv, baddbmm, addbmm, addr))
