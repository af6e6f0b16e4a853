"""Other element types, other places, other readings of the same memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.device import DeviceError, check, device, is_meta
from kadam.dtypes import dtype
from kadam.errors import DTypeError, OperandError, ShapeError, UnsupportedError
from kadam.ops.promotion import meet
from kadam.ops.require import ArgumentError
from kadam.ops.shape import clone, in_format
from kadam.primitives import complex as complex_primitives
from kadam.primitives.elementwise import Cast
from kadam.primitives.move import Concat, Reshape
from kadam.recording.arguments import check_arguments
from kadam.recording.calls import emit
from kadam.recording.meta import no_data, of_shape
from kadam.recording.operation import operation, view
from kadam.recording.precision import listed
from kadam.recording.step import state
from kadam.recording.tensor import Recorded, from_array, is_current, read

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@operation(grad="ToCopyBackward0")
def _converted(input: Tensor, dtype: dtype) -> Tensor:
    return emit(Cast(dtype), input)


def to_dtype(self: Tensor, dtype: dtype, copy: bool = False) -> Tensor:
    """This tensor with another element type; itself if it has that type already (and `copy` is off)."""
    if self._spec.dtype is dtype and not copy:
        return self
    if self._node is None and not (self._spec.requires_grad and state.grad) and is_current(self):
        return from_array(_cast_now(read(self), dtype))
    if self._spec.dtype is dtype:
        return clone(self)
    return _converted(self, dtype)


def _cast_now(array: np.ndarray[Any, Any], record: dtype) -> np.ndarray[Any, Any]:
    with np.errstate(all="ignore"):
        return np.array(Cast(record).reference(array))


_TO = ("dtype", "device", "other", "non_blocking", "copy", "memory_format")


def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """This tensor with another element type or on another device. As `Tensor.to`.

    Raises:
        DeviceError: a device other than the CPU.
        OperandError: arguments that name neither.
    """
    unknown = next((name for name in kwargs if name not in _TO), None)
    if unknown is not None:
        raise OperandError(f"to() got an unexpected keyword argument '{unknown}'. Fix: it takes {', '.join(_TO)}.")
    record, copy = kwargs.get("dtype"), bool(kwargs.get("copy", False))
    record = dtypes.PYTHON_TYPES.get(record, record)
    if record is not None and not isinstance(record, dtypes.dtype):
        check_arguments("to", {"dtype": "dtype"}, [("dtype", record)])
    place = kwargs.get("device")
    for position, arg in enumerate(args):
        if isinstance(arg, dtypes.dtype):
            record = arg
        elif isinstance(arg, Recorded):
            record, place = arg._spec.dtype, arg.device  # type: ignore[attr-defined]
        elif isinstance(arg, str | device) or (isinstance(arg, int) and not isinstance(arg, bool)):
            if isinstance(arg, str) and (arg in dtypes.ALIASES or arg in dtypes.NAMES):
                raise DeviceError(f"to: Invalid device string: '{arg}'. Fix: x.to(torch.{arg}), without quotes.")
            place = arg
        elif isinstance(arg, bool):
            copy = copy or (arg and position > 0 and isinstance(args[position - 1], bool))
        elif isinstance(arg, type) and arg in dtypes.PYTHON_TYPES:
            record = dtypes.PYTHON_TYPES[arg]
        elif arg is not None:
            raise OperandError(
                f"to() received an invalid combination of arguments: {type(arg).__name__}; it takes a dtype, a device "
                "or a tensor. Fix: x.to(torch.float64), x.to('cpu') or x.to(other)."
            )
    if place is not None and is_meta(place) != self._meta:
        if self._meta:
            raise no_data()
        return of_shape(self.shape, record or self._spec.dtype)
    converted = to_dtype(self, record or self._spec.dtype, copy)
    memory_format = kwargs.get("memory_format")
    return converted if memory_format is None else in_format(converted, memory_format)


def _to(record: dtype) -> Callable[..., Tensor]:
    def convert(self: Tensor, memory_format: object = None) -> Tensor:
        return to_dtype(self, record)

    convert.__name__ = convert.__qualname__ = f"to_{record.name}"
    convert.__doc__ = f"This tensor with elements of type {record.name}."
    return convert


to_float, to_double, to_half = _to(dtypes.float32), _to(dtypes.float64), _to(dtypes.float16)
to_bfloat16, to_bool = _to(dtypes.bfloat16), _to(dtypes.bool_)
to_long, to_int, to_short = _to(dtypes.int64), _to(dtypes.int32), _to(dtypes.int16)
to_char, to_byte = _to(dtypes.int8), _to(dtypes.uint8)
to_cfloat, to_cdouble = _to(dtypes.complex64), _to(dtypes.complex128)

_TYPE_NAMES = {
    "float32": "FloatTensor", "float64": "DoubleTensor", "float16": "HalfTensor", "bfloat16": "BFloat16Tensor",
    "int64": "LongTensor", "int32": "IntTensor", "int16": "ShortTensor", "int8": "CharTensor", "uint8": "ByteTensor",
    "bool": "BoolTensor", "complex64": "ComplexFloatTensor", "complex128": "ComplexDoubleTensor",
}  # fmt: skip


def type_of(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The tensor's type by its legacy name, or the tensor as another type. As `Tensor.type`.

    Raises:
        DTypeError: no such type.
    """
    if dtype is None:
        return "torch." + _TYPE_NAMES.get(self._spec.dtype.name, self._spec.dtype.name)
    if isinstance(dtype, dtypes.dtype):
        return to_dtype(self, dtype)
    if not isinstance(dtype, str | type):
        raise OperandError("type: dtype must be a type, str, or dtype object. Fix: x.type(torch.float32).")
    name = dtype if isinstance(dtype, str) else dtype.__name__
    for record, legacy in _TYPE_NAMES.items():
        if name.rpartition(".")[2] == legacy:
            return to_dtype(self, dtypes.by_name(record))
    raise ArgumentError(f"type: invalid type: '{name}'. Fix: a dtype such as torch.float32, or 'torch.FloatTensor'.")


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """This tensor with the element type of another. As `Tensor.type_as`."""
    return to_dtype(self, other._spec.dtype)


def to_cpu(self: Tensor, memory_format: object = None) -> Tensor:
    """This tensor on the CPU, where it is.

    Raises:
        NoDataError: it is on the meta device.
    """
    if self._meta:
        raise no_data()
    return self


def to_cuda(self: Tensor, device: Any = None, non_blocking: bool = False) -> Tensor:
    """Raise, as PyTorch without CUDA does.

    Raises:
        DeviceError: always.
    """
    check("cuda")
    return self


def reinterpret(self: Tensor, record: dtype) -> Tensor:
    """The bytes of this tensor read as another element type. As `Tensor.view(dtype)`.

    Raises:
        ShapeError: the last axis does not hold a whole number of elements.
    """
    array = np.array(read(self), order="C")
    if array.itemsize != record.itemsize and (not array.shape or (array.shape[-1] * array.itemsize) % record.itemsize):
        raise ShapeError(
            f"view: self.size(-1) must be divisible by {record.itemsize // array.itemsize} to view as {record}. Fix: "
            f"pad or slice the last axis, or convert the values with .to({record})."
        )
    return from_array(array.view(record.numpy))


@operation(grad="ComplexBackward0")
def make_complex(real: Tensor, imag: Tensor) -> Tensor:
    """The complex tensor of its real and imaginary parts. As `torch.complex`.

    Raises:
        DTypeError: the parts are not of one floating-point type.
    """
    if real.dtype is not imag.dtype or not real.dtype.is_floating_point:
        raise DTypeError(
            f"complex: Expected both inputs to be Half, Float or Double tensors but got {real.dtype} and {imag.dtype}. "
            "Fix: convert both to float32 or float64."
        )
    return emit(complex_primitives.MakeComplex(), *meet(real, imag))


@view(grad="SelectBackward0")
def _real(input: Tensor) -> Any:
    return (complex_primitives.Real(),) if input.dtype.is_complex else ()


@view(grad="SelectBackward0")
def _imag(input: Tensor) -> Any:
    return (complex_primitives.Imag(),)


def real(input: Tensor) -> Tensor:
    """The real part. As `torch.real`."""
    return _real(input)


def imag(input: Tensor) -> Tensor:
    """The imaginary part. As `torch.imag`.

    Raises:
        DTypeError: the tensor is real.
    """
    if not input.dtype.is_complex:
        raise DTypeError(
            "imag is not implemented for tensors with non-complex dtypes. Fix: torch.zeros_like(x): real numbers have "
            "no imaginary part."
        )
    return _imag(input)


def view_as_real(input: Tensor) -> Tensor:
    """Complex numbers as pairs along a new last axis. As `torch.view_as_real`, but a copy."""
    if not input.dtype.is_complex:
        raise DTypeError("view_as_real is only supported for complex tensors. Fix: x.to(torch.complex64).")
    return _pairs(input)


@operation(grad="ViewAsRealBackward0")
def _pairs(input: Tensor) -> Tensor:
    parts = [emit(part, input) for part in (complex_primitives.Real(), complex_primitives.Imag())]
    shape = (*input.shape, 1)
    return emit(Concat(len(shape) - 1), *[emit(Reshape(shape), part) for part in parts])


@listed("view_as_complex")
def view_as_complex(input: Tensor) -> Tensor:
    """Pairs along the last axis as complex numbers. As `torch.view_as_complex`, but a copy.

    Raises:
        DTypeError: the elements are not floating-point numbers.
        ShapeError: the last axis has not size 2.
    """
    if not input.dtype.is_floating_point:
        raise DTypeError(
            f"view_as_complex is only supported for floating point tensors, but got {input.dtype}. Fix: x.float()."
        )
    if not input.shape or input.shape[-1] != 2:
        raise ShapeError(
            "view_as_complex: Tensor must have a last dimension of size 2. Fix: torch.stack([real, imag], -1)."
        )
    return _joined(input)


@operation(grad="ViewAsComplexBackward0")
def _joined(input: Tensor) -> Tensor:
    return emit(complex_primitives.MakeComplex(), input.select(-1, 0), input.select(-1, 1))


def isreal(input: Tensor) -> Tensor:
    """Where the imaginary part is zero. As `torch.isreal`."""
    same: Tensor = imag(input) == 0 if input.dtype.is_complex else input == input
    return same


def to_sparse(self: Tensor, sparse_dim: int | None = None, *, layout: str | None = None) -> Any:
    """The elements that are not zero, and their places: a `sparse.SparseTensor`. As `Tensor.to_sparse`."""
    from kadam.sparse.creation import to_sparse

    return to_sparse(self, sparse_dim, layout=layout)


def to_sparse_coo(self: Tensor) -> Any:
    """`to_sparse` of all axes. As `Tensor.to_sparse_coo`."""
    return to_sparse(self)


def sparse_mask(self: Tensor, mask: Any) -> Any:
    """The elements where a sparse tensor has values: a `sparse.SparseTensor`. As `Tensor.sparse_mask`."""
    from kadam.sparse.elementwise import sparse_mask

    return sparse_mask(self, mask)


def not_asked(*call: Any) -> Any:
    """The `__torch_function__` of a class that does not want to be asked, of which operations give plain tensors."""
    return NotImplemented


def check_class(cls: type[Any]) -> None:
    """That a class derived from `torch.Tensor` does not want to be asked about each operation: none asks it.

    Raises:
        UnsupportedError: the class defines `__torch_function__` or `__torch_dispatch__`.
    """
    for name in ("__torch_function__", "__torch_dispatch__"):
        if getattr(cls, name, not_asked) is not not_asked:
            raise UnsupportedError(
                f"{cls.__name__}.{name} would never be called: Kadam's operations do not ask subclasses of Tensor. "
                "Fix: plain tensors; hooks (register_hook, register_forward_hook) where they suffice."
            )


def as_subclass(self: Tensor, cls: type[Any]) -> Any:
    """The same tensor as one of a class derived from `torch.Tensor`. As `Tensor.as_subclass`.

    Raises:
        OperandError: the class is not derived from it.
        UnsupportedError: the class wants to be asked about each operation.
    """
    if not (isinstance(cls, type) and issubclass(cls, Recorded)):
        raise OperandError(f"as_subclass: {cls!r} is no subclass of Tensor. Fix: class Mine(torch.Tensor).")
    check_class(cls)
    seen: Any = self.view(self.shape)
    seen = self.detach() if seen is self else seen
    seen.__class__ = cls
    return seen


def to_sparse_csr(self: Tensor, dense_dim: int | None = None) -> Any:
    """A matrix in compressed rows: a `sparse.SparseTensor`. As `Tensor.to_sparse_csr`."""
    from kadam.sparse.creation import to_sparse_csr

    return to_sparse_csr(self, dense_dim)


def to_dense(self: Tensor, dtype: dtype | None = None, *, masked_grad: bool | None = None) -> Tensor:
    """The tensor itself: it is dense. As `Tensor.to_dense`."""
    return self if dtype is None else to(self, dtype)
