"""New tensors: of given values, of one value, of a sequence, in the image of another."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.device import check
from kadam.dtypes import dtype
from kadam.errors import DTypeError, KadamError, OperandError, ShapeError
from kadam.ops.promotion import constant
from kadam.ops.shape import sizes_of
from kadam.recording.memory import assign
from kadam.recording.step import state
from kadam.recording.tensor import Recorded, from_array, from_shared, overwrite, read

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


class ValueShapeError(KadamError, ValueError):
    """Nested data whose parts have different lengths."""


def _nested(data: Any) -> Any:
    """Nested sequences with every tensor in them as NumPy values."""
    if isinstance(data, Recorded):
        return read(data)
    if isinstance(data, list | tuple):
        return [_nested(one) for one in data]
    return data


_PLACEMENT = frozenset({"device", "layout", "pin_memory", "requires_grad"})


def check_options(name: str, options: dict[str, Any]) -> bool:
    """Check what says where a new tensor goes; returns whether it shall require grad.

    Raises:
        OperandError: an option that the function does not have.
        DeviceError: a device other than the CPU.
    """
    unknown = options.keys() - _PLACEMENT
    if unknown:
        raise OperandError(
            f"{name}() got an unexpected keyword argument '{min(unknown)}'. Fix: leave it out, or look at its spelling."
        )
    check(options.get("device"))
    return bool(options.get("requires_grad", False))


def array_of(data: Any, record: dtype | None) -> np.ndarray[Any, Any]:
    """The values of numbers, nested sequences, arrays or tensors as a new array of PyTorch's choice of type.

    Raises:
        ValueShapeError: ragged sequences.
        OperandError, DTypeError: values that are no numbers.
    """
    if isinstance(data, Recorded):
        array = read(data)
    elif isinstance(data, np.ndarray | np.generic):
        array = np.asarray(data)
    else:
        try:
            array = np.asarray(_nested(data))
        except ValueError as error:
            raise ValueShapeError(
                f"tensor: expected sequences of equal length at each level: {error}. Fix: pad the sequences to one "
                "length, for example with nn.utils.rnn.pad_sequence."
            ) from error
        if record is None and array.dtype == np.float64 and not _holds_double(data):
            record = dtypes.default_float()
        if record is None and array.dtype == np.complex128:
            record = dtypes.default_complex()
        if array.size == 0 and record is None and not hasattr(data, "dtype"):
            record = dtypes.default_float()
    if array.dtype.kind in "US":
        if isinstance(data, str):
            raise OperandError(
                "new(): invalid data type 'str': tensors hold numbers, not text. Fix: turn words into numbers first, "
                "for example by a dictionary of their indices."
            )
        raise ValueShapeError(
            "too many dimensions 'str': tensors hold numbers, not text. Fix: turn words into numbers first, for "
            "example by a dictionary of their indices."
        )
    if array.dtype.kind not in "biufcV":
        raise DTypeError(
            f"Could not infer dtype of {_odd_one(data)}: tensors hold numbers. Fix: convert it to numbers first."
        )
    wanted = record or dtypes.of_numpy(array.dtype)
    if wanted.category < dtypes.COMPLEX and array.dtype.kind == "c":
        raise DTypeError(
            f"value cannot be converted to type {wanted} without overflow: it is complex. Fix: dtype=torch.complex64."
        )
    with np.errstate(all="ignore"):
        return np.array(array, dtype=wanted.numpy, order="C")


def _odd_one(data: Any) -> str:
    """The type of the first element of nested sequences that is no number."""
    for one in data if isinstance(data, list | tuple) else ():
        if not isinstance(one, numbers.Number | np.generic):
            return _odd_one(one)
    return type(data).__name__


def _holds_double(data: Any) -> bool:
    """Whether nested data holds double-precision arrays or tensors (whose type is kept), not Python floats."""
    while isinstance(data, list | tuple) and data:
        data = data[0]
    return isinstance(data, np.ndarray | np.generic | Recorded)


def tensor(
    data: Any,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A new tensor with a copy of `data`: a number, nested sequences, an array. As `torch.tensor`."""
    check(device)
    return finished(array_of(data, dtype), requires_grad)


def finished(array: np.ndarray[Any, Any], requires_grad: bool) -> Tensor:
    """A new tensor that owns `array`.

    Raises:
        DTypeError: it shall require grad and is of integers.
    """
    if requires_grad and array.dtype.kind in "biu":
        raise DTypeError(
            "requires_grad: Only Tensors of floating point and complex dtype can require gradients. Fix: "
            "dtype=torch.float32."
        )
    return from_array(array, requires_grad)


def as_tensor(data: Any, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """`data` as a tensor, without a copy where that is possible. As `torch.as_tensor`."""
    from kadam.ops.convert import to

    check(device)
    if isinstance(data, Recorded):
        given: Any = data
        return given if dtype is None or data.dtype is dtype else to(given, dtype)
    if isinstance(data, np.ndarray):
        shared = from_numpy(data)
        return shared if dtype is None or shared.dtype is dtype else to(shared, dtype)
    return tensor(data, dtype=dtype)


def asarray(obj: Any, *, dtype: dtype | None = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """`obj` as a tensor. As `torch.asarray`."""
    return tensor(obj, dtype=dtype, device=device) if copy else as_tensor(obj, dtype, device)


def from_numpy(ndarray: np.ndarray[Any, Any]) -> Tensor:
    """A tensor that shares the memory of a NumPy array. As `torch.from_numpy`.

    Raises:
        OperandError: it is no NumPy array.
        DTypeError: PyTorch has no such element type.
    """
    if not isinstance(ndarray, np.ndarray):
        raise OperandError(
            f"from_numpy: expected np.ndarray (got {type(ndarray).__name__}). Fix: torch.tensor(data), or "
            "np.asarray(data) first."
        )
    dtypes.of_numpy(ndarray.dtype)
    if any(step < 0 for step in ndarray.strides):
        raise ValueShapeError(
            "from_numpy: At least one stride in the given numpy array is negative, and tensors with negative strides "
            "are not currently supported. (You can probably work around this by making a copy of your array with "
            "array.copy().). Fix: array.copy()."
        )
    return from_shared(ndarray)


def frombuffer(buffer: Any, *, dtype: dtype, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A tensor of the bytes of a buffer, which it shares. As `torch.frombuffer`."""
    return from_shared(np.frombuffer(buffer, dtype.numpy, count, offset))


def full(
    size: Sequence[int],
    fill_value: Number | Tensor,
    *,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: object = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor whose elements all equal `fill_value`. As `torch.full`."""
    check(device)
    shape = sizes_of("full", (tuple(size) if not isinstance(size, int) else size,))
    if any(one < 0 for one in shape):
        raise ShapeError(
            f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}. Fix: give sizes of at least "
            "0."
        )
    if isinstance(fill_value, Recorded) and state.rec is not None:
        fill_value = read(fill_value).item()
    if out is not None:
        overwrite(out, fill_value)
        return out
    record = dtype or (fill_value.dtype if isinstance(fill_value, Recorded) else dtypes.of_number(fill_value))
    if state.rec is None:
        return constant(fill_value, record, shape)  # type: ignore[arg-type]
    return finished(np.full(shape, fill_value, record.numpy), requires_grad)


def _filled(name: str, value: int, sizes: tuple[Any, ...], dtype: dtype | None, options: dict[str, Any]) -> Tensor:
    if "size" in options:
        sizes = (options.pop("size"),)
    return full(sizes_of(name, sizes), value, dtype=dtype or dtypes.default_float(), **options)


def zeros(*size: Any, dtype: dtype | None = None, **options: Any) -> Tensor:
    """Zeros. As `torch.zeros`."""
    return _filled("zeros", 0, size, dtype, options)


def ones(*size: Any, dtype: dtype | None = None, **options: Any) -> Tensor:
    """Ones. As `torch.ones`."""
    return _filled("ones", 1, size, dtype, options)


def empty(*size: Any, dtype: dtype | None = None, memory_format: object = None, **options: Any) -> Tensor:
    """A tensor whose values nobody may rely on; Kadam's are zeros, so that runs can be repeated. As `torch.empty`."""
    return _filled("empty", 0, size, dtype, options)


def full_like(input: Tensor, fill_value: Number, *, dtype: dtype | None = None, **options: Any) -> Tensor:
    """`fill_value` in the shape and type of `input`. As `torch.full_like`."""
    options.pop("memory_format", None)
    return full(input.shape, fill_value, dtype=dtype or input.dtype, **options)


def zeros_like(input: Tensor, *, dtype: dtype | None = None, **options: Any) -> Tensor:
    """Zeros in the shape and type of `input`. As `torch.zeros_like`."""
    return full_like(input, 0, dtype=dtype, **options)


def ones_like(input: Tensor, *, dtype: dtype | None = None, **options: Any) -> Tensor:
    """Ones in the shape and type of `input`. As `torch.ones_like`."""
    return full_like(input, 1, dtype=dtype, **options)


def empty_like(input: Tensor, *, dtype: dtype | None = None, **options: Any) -> Tensor:
    """A tensor in the shape and type of `input` whose values nobody may rely on. As `torch.empty_like`."""
    return full_like(input, 0, dtype=dtype, **options)


def new_full(self: Tensor, size: Sequence[int], fill_value: Number, *, dtype: dtype | None = None, **o: Any) -> Tensor:
    """`fill_value` in the type of this tensor. As `Tensor.new_full`."""
    return full(size, fill_value, dtype=dtype or self.dtype, **o)


def new_zeros(self: Tensor, *size: Any, dtype: dtype | None = None, **options: Any) -> Tensor:
    """Zeros in the type of this tensor. As `Tensor.new_zeros`."""
    return zeros(*size, dtype=dtype or self.dtype, **options)


def new_ones(self: Tensor, *size: Any, dtype: dtype | None = None, **options: Any) -> Tensor:
    """Ones in the type of this tensor. As `Tensor.new_ones`."""
    return ones(*size, dtype=dtype or self.dtype, **options)


def new_empty(self: Tensor, *size: Any, dtype: dtype | None = None, **options: Any) -> Tensor:
    """A tensor of this one's type whose values nobody may rely on. As `Tensor.new_empty`."""
    return empty(*size, dtype=dtype or self.dtype, **options)


def new_tensor(self: Tensor, data: Any, *, dtype: dtype | None = None, **options: Any) -> Tensor:
    """A copy of `data` in the type of this tensor. As `Tensor.new_tensor`."""
    return tensor(data, dtype=dtype or self.dtype, **options)


def _numbers(*values: Any) -> list[Any]:
    return [value.item() if hasattr(value, "item") else value for value in values]


def arange(
    start: Number,
    end: Number | None = None,
    step: Number = 1,
    *,
    out: Tensor | None = None,
    dtype: dtype | None = None,
    layout: object = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """start, start + step, ... before `end`. As `torch.arange`.

    Raises:
        ShapeError: the step is zero or leads away from `end`.
    """
    check(device)
    if end is None:
        start, end = 0, start
    start, end, step = _numbers(start, end, step)
    if dtype is None:
        floats = any(isinstance(value, float) for value in (start, end, step))
        dtype = dtypes.default_float() if floats else dtypes.int64
    if step == 0:
        raise ShapeError("arange: step must be nonzero. Fix: step=1.")
    if (end - start) * (1 if step > 0 else -1) < 0:  # type: ignore[operator]
        raise ShapeError(
            "arange: upper bound and lower bound inconsistent with step sign. Fix: exchange the bounds, or change the "
            "sign of the step."
        )
    first, last, by = _numbers(start, end, step)
    size = math.ceil((last - first) / by)
    array = (start + np.arange(size) * step).astype(dtype.numpy)
    if out is not None:
        assign(out, from_array(array))
        return out
    return finished(array, requires_grad)


def linspace(
    start: Number, end: Number, steps: int, *, dtype: dtype | None = None, requires_grad: bool = False, **options: Any
) -> Tensor:
    """`steps` values from `start` to `end`, evenly spaced. As `torch.linspace`.

    Raises:
        ShapeError: `steps` is negative.
    """
    check_options("linspace", options)
    start, end, steps = _numbers(start, end, steps)
    if steps < 0:
        raise ShapeError("linspace: number of steps must be non-negative. Fix: steps=100.")
    kind = (dtype or dtypes.default_float()).numpy
    return finished(_evenly(start, end, steps, kind), requires_grad)


def _evenly(start: Any, end: Any, steps: int, kind: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """PyTorch's rounding: up from the start in the first half, down from the end in the second."""
    work = kind if kind.kind in "fc" else np.dtype(np.float64)
    if work.itemsize < 4:
        work = np.dtype(np.float32)
    if steps == 1:
        return np.asarray([start]).astype(kind)
    step = work.type((work.type(end) - work.type(start)) / work.type(max(steps - 1, 1)))
    index = np.arange(steps)
    up = work.type(start) + step * index.astype(work)
    down = work.type(end) - step * (steps - 1 - index).astype(work)
    return np.where(index < steps // 2, up, down).astype(kind)


def logspace(
    start: Number, end: Number, steps: int, base: float = 10.0, *, dtype: dtype | None = None, **options: Any
) -> Tensor:
    """`steps` values from base**start to base**end, evenly spaced in the exponent. As `torch.logspace`."""
    requires_grad = check_options("logspace", options)
    start, end, steps = _numbers(start, end, steps)
    record = dtype or dtypes.default_float()
    exponents = _evenly(start, end, steps, np.dtype(np.float64))
    return finished(np.power(float(base), exponents).astype(record.numpy), requires_grad)


def eye(n: int, m: int | None = None, *, dtype: dtype | None = None, requires_grad: bool = False, **o: Any) -> Tensor:
    """The identity matrix. As `torch.eye`."""
    check_options("eye", o)
    return finished(np.eye(n, n if m is None else m, dtype=(dtype or dtypes.default_float()).numpy), requires_grad)


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: dtype = dtypes.int64, **options: Any) -> Tensor:
    """Rows and columns of the lower triangle. As `torch.tril_indices`."""
    check_options("tril_indices", options)
    return from_array(np.stack(np.tril_indices(row, offset, col)).astype(dtype.numpy))


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: dtype = dtypes.int64, **options: Any) -> Tensor:
    """Rows and columns of the upper triangle. As `torch.triu_indices`."""
    check_options("triu_indices", options)
    return from_array(np.stack(np.triu_indices(row, offset, col)).astype(dtype.numpy))


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Grids of coordinates. As `torch.meshgrid`.

    Raises:
        ShapeError: an operand has more than one axis.
    """
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    lines = [one.reshape(-1) for one in given]
    if indexing == "xy" and len(lines) >= 2:
        swapped = meshgrid(lines[1], lines[0], *lines[2:])
        return tuple(one.transpose(0, 1) for one in (swapped[1], swapped[0], *swapped[2:]))
    shape = [line.numel() for line in lines]
    return tuple(
        line.reshape([-1 if axis == at else 1 for axis in range(len(shape))]).expand(shape)
        for at, line in enumerate(lines)
    )


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of the elements of vectors, one per row. As `torch.cartesian_prod`."""
    from kadam.ops.combine import stack

    if len(tensors) == 1:
        return tensors[0]
    return stack([grid.reshape(-1) for grid in meshgrid(*tensors)], 1)


def scalar_tensor(s: Number, *, dtype: dtype | None = None, **options: Any) -> Tensor:
    """A tensor without axes, of the default element type. As `torch.scalar_tensor`."""
    return full((), s, dtype=dtype or dtypes.default_float(), **options)
