"""New tensors: of given values, of one value, of a sequence, in the image of another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.device import cpu, is_meta
from kadam.dtypes import dtype
from kadam.errors import DTypeError, NoMemoryError, OperandError, ShapeError
from kadam.layouts import preserve_format
from kadam.ops.data_errors import ValueShapeError, check_holds, no_numbers, ragged
from kadam.ops.out import into
from kadam.ops.promotion import constant
from kadam.ops.require import ArgumentError
from kadam.ops.shape import in_format, sizes_of
from kadam.recording.arguments import check_arguments, guarded
from kadam.recording.meta import of_shape
from kadam.recording.order import in_order, laid
from kadam.recording.spec import Size
from kadam.recording.step import state
from kadam.recording.tensor import Recorded, from_array, from_shared, read

if TYPE_CHECKING:
    from kadam.recording.tensor import Number
    from kadam.tensor import Tensor


def _nested(data: Any) -> Any:
    """Nested sequences with every tensor in them as NumPy values."""
    if isinstance(data, Recorded):
        if data._spec.type.elements != 1:
            raise ArgumentError(
                "tensor: only one element tensors can be converted to Python scalars, and one of the data is a "
                f"{data._spec.type}. Fix: torch.stack(data)."
            )
        return read(data).reshape(())
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
    is_meta(options.get("device"))
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
        except ValueError:
            raise ragged(data) from None
        if record is None and array.dtype == np.float64 and not _holds_double(data):
            record = dtypes.default_float()
        if record is None and array.dtype == np.complex128:
            record = dtypes.default_complex()
        if array.size == 0 and record is None and not hasattr(data, "dtype"):
            record = dtypes.default_float()
    if array.dtype.kind not in "biufcV":
        raise no_numbers(data)
    wanted = record or dtypes.of_numpy(array.dtype)
    if wanted.category < dtypes.COMPLEX and array.dtype.kind == "c" and not hasattr(data, "dtype"):
        raise OperandError(f"must be real number, not complex: the type is {wanted}. Fix: dtype=torch.complex64.")
    if wanted.category == dtypes.INTEGER and array.dtype != wanted.numpy and not hasattr(data, "dtype"):
        check_holds(wanted, array)
    with np.errstate(all="ignore"):
        return np.array(array, dtype=wanted.numpy, order="C")


def _holds_double(data: Any) -> bool:
    """Whether nested data holds double-precision arrays or tensors (whose type is kept), not Python floats."""
    while isinstance(data, list | tuple) and data:
        data = data[0]
    return isinstance(data, np.ndarray | np.generic | Recorded)


@guarded
def tensor(
    data: Any,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A new tensor with a copy of `data`: a number, nested sequences, an array. As `torch.tensor`."""
    return finished(array_of(data, dtype), requires_grad, device)


def finished(array: np.ndarray[Any, Any], requires_grad: bool, device: Any = None) -> Tensor:
    """A new tensor that owns `array`; on the meta device, one like it without values.

    Raises:
        DTypeError: it shall require grad and is of integers.
    """
    if is_meta(device):
        return of_shape(array.shape, dtypes.of_numpy(array.dtype), requires_grad)
    if requires_grad and array.dtype.kind in "biu":
        raise DTypeError(
            "requires_grad=True: only Tensors of floating point and complex dtype can require gradients. Fix: "
            "dtype=torch.float32."
        )
    return from_array(array, requires_grad)


@guarded
def as_tensor(data: Any, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """`data` as a tensor, without a copy where that is possible. As `torch.as_tensor`."""
    from kadam.ops.convert import to

    if isinstance(data, Recorded):
        given: Any = data
        return given if dtype is None and device is None else to(given, dtype or given.dtype, device=device)
    if isinstance(data, np.ndarray) and not is_meta(device):
        shared = from_numpy(data)
        return shared if dtype is None or shared.dtype is dtype else to(shared, dtype)
    return tensor(data, dtype=dtype, device=device)


@guarded
def asarray(obj: Any, *, dtype: dtype | None = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """`obj` as a tensor. As `torch.asarray`."""
    return tensor(obj, dtype=dtype, device=device) if copy else as_tensor(obj, dtype, device)


@guarded
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


@guarded
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
    if fill_value is None:
        check_arguments("full", {"fill_value": "Number"}, [("fill_value", fill_value)])
    if isinstance(size, int):
        raise OperandError(f"full(): argument 'size' (position 1) must be tuple of ints, not int. Fix: ({size},).")
    shape = sizes_of("full", (tuple(size),))
    if any(one < 0 for one in shape):
        raise ShapeError(
            f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}. Fix: give sizes of at least "
            "0."
        )
    if isinstance(fill_value, Recorded) and state.rec is not None and not fill_value._meta:
        fill_value = read(fill_value).item()
    if out is not None:
        return into(out, from_array(np.full(shape, fill_value, out.dtype.numpy)))  # type: ignore[no-any-return]
    record = dtype or (fill_value.dtype if isinstance(fill_value, Recorded) else dtypes.of_number(fill_value))
    if state.rec is None:
        return constant(fill_value, record, shape)  # type: ignore[arg-type]
    if is_meta(device):
        return of_shape(shape, record, requires_grad)
    try:
        filled = np.full(shape, fill_value, record.numpy)
    except MemoryError as error:
        raise NoMemoryError(f"full: can't allocate memory: {error}. Fix: make a smaller tensor.") from None
    return finished(filled, requires_grad, cpu)


_full = full  # for the functions below, which are guarded themselves
full = guarded(full)


def _filled(name: str, value: int, sizes: tuple[Any, ...], dtype: dtype | None, options: dict[str, Any]) -> Tensor:
    if "size" in options:
        sizes = (options.pop("size"),)
    return _full(sizes_of(name, sizes), value, dtype=dtype or dtypes.default_float(), **options)


@guarded
def zeros(*size: Any, dtype: dtype | None = None, **options: Any) -> Tensor:
    """Zeros. As `torch.zeros`."""
    return _filled("zeros", 0, size, dtype, options)


@guarded
def ones(*size: Any, dtype: dtype | None = None, **options: Any) -> Tensor:
    """Ones. As `torch.ones`."""
    return _filled("ones", 1, size, dtype, options)


@guarded
def empty(*size: Any, dtype: dtype | None = None, memory_format: object = None, **options: Any) -> Tensor:
    """A tensor whose values nobody may rely on; Kadam's are zeros, so that runs can be repeated. As `torch.empty`."""
    made = _filled("empty", 0, size, dtype, options)
    return made if memory_format is None else in_format(made, memory_format)


@guarded
def full_like(input: Tensor, fill_value: Number, *, dtype: dtype | None = None, **options: Any) -> Tensor:
    """`fill_value` in the shape and type of `input`. As `torch.full_like`."""
    wanted = options.pop("memory_format", None)
    alike = _full(input.shape, fill_value, dtype=dtype or input.dtype, **_beside(input, options))
    if wanted is not None and wanted != preserve_format:
        return in_format(alike, wanted)
    order = input._spec.order
    if order is not None and alike._node is None and alike._spec.order is None:
        alike._spec = in_order(alike._spec, order)
        alike._array = alike._array if alike._array is None else laid(alike._array, order)
    return alike


def _beside(tensor: Tensor, options: dict[str, Any]) -> dict[str, Any]:
    """The options for a new tensor, which is made where `tensor` is if they do not say."""
    return options if options.get("device") is not None else {**options, "device": tensor.device}


@guarded
def zeros_like(input: Tensor, *, dtype: dtype | None = None, **options: Any) -> Tensor:
    """Zeros in the shape and type of `input`. As `torch.zeros_like`."""
    return full_like(input, 0, dtype=dtype, **options)


@guarded
def ones_like(input: Tensor, *, dtype: dtype | None = None, **options: Any) -> Tensor:
    """Ones in the shape and type of `input`. As `torch.ones_like`."""
    return full_like(input, 1, dtype=dtype, **options)


@guarded
def empty_like(input: Tensor, *, dtype: dtype | None = None, **options: Any) -> Tensor:
    """A tensor in the shape and type of `input` whose values nobody may rely on. As `torch.empty_like`."""
    return full_like(input, 0, dtype=dtype, **options)


@guarded
def new_full(self: Tensor, size: Sequence[int], fill_value: Number, *, dtype: dtype | None = None, **o: Any) -> Tensor:
    """`fill_value` in the type of this tensor. As `Tensor.new_full`."""
    return _full(size, fill_value, dtype=dtype or self.dtype, **_beside(self, o))


@guarded
def new_zeros(self: Tensor, *size: Any, dtype: dtype | None = None, **options: Any) -> Tensor:
    """Zeros in the type of this tensor. As `Tensor.new_zeros`."""
    return zeros(*size, dtype=dtype or self.dtype, **_beside(self, options))


@guarded
def new_ones(self: Tensor, *size: Any, dtype: dtype | None = None, **options: Any) -> Tensor:
    """Ones in the type of this tensor. As `Tensor.new_ones`."""
    return ones(*size, dtype=dtype or self.dtype, **_beside(self, options))


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor that shares the memory of whatever speaks the DLPack protocol. As `torch.from_dlpack`."""
    return from_numpy(np.from_dlpack(ext_tensor))


@guarded
def new_empty(self: Tensor, *size: Any, dtype: dtype | None = None, **options: Any) -> Tensor:
    """A tensor of this one's type whose values nobody may rely on. As `Tensor.new_empty`."""
    return empty(*size, dtype=dtype or self.dtype, **_beside(self, options))


@guarded
def new_empty_strided(
    self: Tensor, size: Sequence[int], stride: Sequence[int], *, dtype: dtype | None = None, **options: Any
) -> Tensor:
    """A tensor like this one of a given shape and memory layout, of which the values do not matter.

    As `Tensor.new_empty_strided`.
    """
    return empty_strided(size, stride, dtype=dtype or self.dtype, **options)


@guarded
def empty_strided(size: Sequence[int], stride: Sequence[int], *, dtype: dtype | None = None, **options: Any) -> Tensor:
    """A tensor of a given memory layout, of which the values do not matter. As `torch.empty_strided`.

    Raises:
        ShapeError: not one stride for each size.
    """
    if len(size) != len(stride):
        raise ShapeError(
            f"empty_strided: the dimensionality of sizes ({len(size)}) must match that of strides ({len(stride)}). "
            "Fix: one stride for each size."
        )
    record = dtype or dtypes.default_float()
    if is_meta(options.get("device")):
        return of_shape(size, record, check_options("empty_strided", options))
    reach = 1 + sum((one - 1) * step for one, step in zip(size, stride, strict=True)) if 0 not in size else 0
    line = np.zeros(reach, record.numpy)
    steps = [one * record.itemsize for one in stride]
    array = np.lib.stride_tricks.as_strided(line, tuple(size), steps)
    return finished(array, check_options("empty_strided", options), options.get("device"))


def new(self: Tensor, *data: Any, device: Any = None) -> Tensor:
    """A tensor in the type of this one, of the given sizes or of the given nested sequence. As `Tensor.new`."""
    if len(data) == 1 and not hasattr(data[0], "__index__") and not isinstance(data[0], Size):
        return tensor(data[0], dtype=self.dtype, device=device)
    return empty(*(data or (0,)), dtype=self.dtype, device=device)


@guarded
def new_tensor(self: Tensor, data: Any, *, dtype: dtype | None = None, **options: Any) -> Tensor:
    """A copy of `data` in the type of this tensor. As `Tensor.new_tensor`."""
    return tensor(data, dtype=dtype or self.dtype, **_beside(self, options))


def _numbers(*values: Any) -> list[Any]:
    return [value.item() if hasattr(value, "item") else value for value in values]


@guarded
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
    if end is None:
        start, end = 0, start
    start, end, step = _numbers(start, end, step)
    if dtype is None and out is not None:
        dtype = out.dtype
    if dtype is None:
        floats = any(isinstance(value, float) for value in (start, end, step))
        dtype = dtypes.default_float() if floats else dtypes.int64
    if not all(math.isfinite(value) for value in (start, end, step)):  # type: ignore[arg-type]
        raise ShapeError(f"arange: unsupported range: {start} -> {end}. Fix: give finite bounds.")
    if step == 0:
        raise ShapeError("arange: step must be nonzero. Fix: step=1.")
    if dtype.category < dtypes.FLOAT:  # PyTorch counts in the type of the result
        start, end, step = int(start), int(end), int(step)  # type: ignore[arg-type]
        if step == 0:
            raise ArgumentError("arange: step must be nonzero, in whole numbers too. Fix: dtype=torch.float32.")
    if (end - start) * (1 if step > 0 else -1) < 0:  # type: ignore[operator]
        raise ShapeError(
            "arange: upper bound and lower bound inconsistent with step sign. Fix: exchange the bounds, or change the "
            "sign of the step."
        )
    first, last, by = _numbers(start, end, step)
    size = math.ceil((last - first) / by)
    array = (start + np.arange(size) * step).astype(dtype.numpy)
    if out is not None:
        return into(out, from_array(array))  # type: ignore[no-any-return]
    return finished(array, requires_grad, device)


@guarded
def inclusive_range(start: Number = 0, end: Number = 0, step: Number = 1, **options: Any) -> Tensor:
    """start, start + step, ... up to and with `end`, as floating-point numbers. As `torch.range`."""
    first, last, by = (float(value) for value in _numbers(start, end, step))
    options.setdefault("dtype", dtypes.default_float())
    return arange(first, first + math.floor((last - first) / by + 1) * by - by / 2, by, **options)


@guarded
def linspace(
    start: Number, end: Number, steps: int, *, dtype: dtype | None = None, requires_grad: bool = False, **options: Any
) -> Tensor:
    """`steps` values from `start` to `end`, evenly spaced. As `torch.linspace`.

    Raises:
        ShapeError: `steps` is negative.
    """
    check_options("linspace", options)
    start, end, steps = _numbers(start, end, _steps("linspace", steps))
    kind = (dtype or dtypes.default_float()).numpy
    return finished(_evenly(start, end, steps, kind), requires_grad, options.get("device"))


def _steps(name: str, steps: Any) -> int:
    if isinstance(steps, float):
        raise OperandError(f"{name}(): argument 'steps' (position 3) must be int, not float. Fix: steps={int(steps)}.")
    if steps < 0:
        raise ShapeError(f"{name}: number of steps must be non-negative, not {steps}. Fix: steps=100.")
    return int(steps)


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


@guarded
def logspace(
    start: Number, end: Number, steps: int, base: float = 10.0, *, dtype: dtype | None = None, **options: Any
) -> Tensor:
    """`steps` values from base**start to base**end, evenly spaced in the exponent. As `torch.logspace`."""
    requires_grad = check_options("logspace", options)
    start, end, steps = _numbers(start, end, _steps("logspace", steps))
    record = dtype or dtypes.default_float()
    exponents = _evenly(start, end, steps, np.dtype(np.float64))
    return finished(np.power(float(base), exponents).astype(record.numpy), requires_grad, options.get("device"))


@guarded
def eye(n: int, m: int | None = None, *, dtype: dtype | None = None, requires_grad: bool = False, **o: Any) -> Tensor:
    """The identity matrix. As `torch.eye`."""
    check_options("eye", o)
    if n < 0 or (m or 0) < 0:
        raise ShapeError(f"eye: n must be greater or equal to 0, got {min(n, m or 0)}. Fix: give sizes of at least 0.")
    ones = np.eye(n, n if m is None else m, dtype=(dtype or dtypes.default_float()).numpy)
    return finished(ones, requires_grad, o.get("device"))


@guarded
def tril_indices(row: int, col: int, offset: int = 0, *, dtype: dtype = dtypes.int64, **options: Any) -> Tensor:
    """Rows and columns of the lower triangle. As `torch.tril_indices`."""
    requires_grad = check_options("tril_indices", options)
    places = np.stack(np.tril_indices(row, offset, col)).astype(dtype.numpy)
    return finished(places, requires_grad, options.get("device"))


@guarded
def triu_indices(row: int, col: int, offset: int = 0, *, dtype: dtype = dtypes.int64, **options: Any) -> Tensor:
    """Rows and columns of the upper triangle. As `torch.triu_indices`."""
    requires_grad = check_options("triu_indices", options)
    places = np.stack(np.triu_indices(row, offset, col)).astype(dtype.numpy)
    return finished(places, requires_grad, options.get("device"))


@guarded
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Grids of coordinates. As `torch.meshgrid`.

    Raises:
        ShapeError: an operand has more than one axis.
    """
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    if indexing not in ("ij", "xy"):
        raise ShapeError(
            f'meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}. Fix: indexing="ij".'
        )
    for place, one in enumerate(given):
        if len(one.shape) > 1:
            raise ShapeError(
                f"meshgrid: Expected 0D or 1D tensor in the tensor list but got {one._spec.type} at place {place}. "
                "Fix: flatten() it first."
            )
    lines = [one.reshape(-1) for one in given]
    if indexing == "xy" and len(lines) >= 2:
        swapped = meshgrid(lines[1], lines[0], *lines[2:])
        return (swapped[1], swapped[0], *swapped[2:])
    shape = [line.numel() for line in lines]
    return tuple(
        line.reshape([-1 if axis == at else 1 for axis in range(len(shape))]).expand(shape)
        for at, line in enumerate(lines)
    )


@guarded
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of the elements of vectors, one per row. As `torch.cartesian_prod`."""
    from kadam.ops.combine import stack

    if len(tensors) == 1:
        return tensors[0]
    return stack([grid.reshape(-1) for grid in meshgrid(*tensors)], 1)


@guarded
def scalar_tensor(s: Number, *, dtype: dtype | None = None, **options: Any) -> Tensor:
    """A tensor without axes, of the default element type. As `torch.scalar_tensor`."""
    return _full((), s, dtype=dtype or dtypes.default_float(), **options)
