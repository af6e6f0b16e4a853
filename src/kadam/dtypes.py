"""Element types: one record each, and PyTorch's rules for mixing them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np

from kadam.errors import DTypeError, UnsupportedError

# Categories in order of promotion: a tensor of a higher category decides the result's.
BOOL, INTEGER, FLOAT, COMPLEX = range(4)


@dataclass(frozen=True, eq=False)
class dtype:  # noqa: N801  (PyTorch's name)
    """An element type.

    Attributes:
        name: PyTorch's name, such as `float32`.
        short: the graph's notation, such as `f32`.
        numpy: the NumPy type that stores it.
        category: BOOL, INTEGER, FLOAT or COMPLEX.
        itemsize: size of one element, in bytes.
    """

    name: str
    short: str
    numpy: np.dtype[Any] = field(repr=False)
    category: int
    itemsize: int

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return by_name, (self.name,)

    def __copy__(self) -> dtype:
        return self

    def __deepcopy__(self, memo: object) -> dtype:
        return self

    @property
    def is_floating_point(self) -> bool:
        return self.category == FLOAT

    @property
    def is_complex(self) -> bool:
        return self.category == COMPLEX

    @property
    def is_signed(self) -> bool:
        return self.category != BOOL and self.numpy.kind != "u"


def _make(name: str, short: str, numpy: Any, category: int) -> dtype:
    stored = np.dtype(numpy)
    return dtype(name, short, stored, category, stored.itemsize)


bool_ = _make("bool", "bool", np.bool_, BOOL)
uint8 = _make("uint8", "u8", np.uint8, INTEGER)
int8 = _make("int8", "i8", np.int8, INTEGER)
int16 = _make("int16", "i16", np.int16, INTEGER)
int32 = _make("int32", "i32", np.int32, INTEGER)
int64 = _make("int64", "i64", np.int64, INTEGER)
float16 = _make("float16", "f16", np.float16, FLOAT)
bfloat16 = _make("bfloat16", "bf16", ml_dtypes.bfloat16, FLOAT)
float32 = _make("float32", "f32", np.float32, FLOAT)
float64 = _make("float64", "f64", np.float64, FLOAT)
complex64 = _make("complex64", "c64", np.complex64, COMPLEX)
complex128 = _make("complex128", "c128", np.complex128, COMPLEX)
uint16 = _make("uint16", "u16", np.uint16, INTEGER)
uint32 = _make("uint32", "u32", np.uint32, INTEGER)
uint64 = _make("uint64", "u64", np.uint64, INTEGER)

ALL = (
    bool_, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64, complex64, complex128,
    uint16, uint32, uint64,
)  # fmt: skip
# What their numbers would be is known (`finfo`), but there are no tensors of them.
float8_e4m3fn = _make("float8_e4m3fn", "f8e4m3fn", ml_dtypes.float8_e4m3fn, FLOAT)
float8_e4m3fnuz = _make("float8_e4m3fnuz", "f8e4m3fnuz", ml_dtypes.float8_e4m3fnuz, FLOAT)
float8_e5m2 = _make("float8_e5m2", "f8e5m2", ml_dtypes.float8_e5m2, FLOAT)
float8_e5m2fnuz = _make("float8_e5m2fnuz", "f8e5m2fnuz", ml_dtypes.float8_e5m2fnuz, FLOAT)
float8_e8m0fnu = _make("float8_e8m0fnu", "f8e8m0fnu", ml_dtypes.float8_e8m0fnu, FLOAT)
WITHOUT_TENSORS = (float8_e4m3fn, float8_e4m3fnuz, float8_e5m2, float8_e5m2fnuz, float8_e8m0fnu)
ALIASES = {
    "half": float16, "float": float32, "double": float64, "short": int16, "int": int32, "long": int64,
    "cfloat": complex64, "cdouble": complex128,
}  # fmt: skip

PYTHON_TYPES: dict[Any, dtype] = {bool: bool_, int: int64, float: float64, complex: complex128}  # which stand for these

_BY_NAME = {record.name: record for record in ALL}
NAMES = frozenset(_BY_NAME)
_BY_SHORT = {record.short: record for record in ALL}
_BY_NUMPY = {record.numpy: record for record in ALL}
_NAMED_BY_NUMPY = {record.numpy: record for record in WITHOUT_TENSORS}


def by_name(name: str) -> dtype:
    """The record of PyTorch's name, such as `float32`."""
    return _BY_NAME[name]


def by_short(short: str) -> dtype:
    """The record of the graph's notation, such as `f32`."""
    return _BY_SHORT[short]


def of_numpy(stored: np.dtype[Any]) -> dtype:
    """The record that stores its elements as this NumPy type (in either byte order).

    Raises:
        DTypeError: PyTorch has no such type (strings, objects, dates ...); a TypeError too, as in PyTorch.
        UnsupportedError: PyTorch has it, but Kadam no tensors of it.
    """
    record = _BY_NUMPY.get(stored.newbyteorder("="))
    if record is None:
        if (named := _NAMED_BY_NUMPY.get(stored)) is not None:
            raise UnsupportedError(
                f"{named!r}: Kadam has no tensors of this type. Fix: torch.bfloat16 or torch.float16."
            )
        raise _NumpyTypeError(
            f"can't convert np.ndarray of type {stored}. The only supported types are: float64, float32, float16, "
            "complex64, complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool. Fix: "
            "array.astype(np.float32)."
        )
    return record


class _NumpyTypeError(DTypeError, TypeError):
    pass


_default_float = float32


def default_float() -> dtype:
    """The type of new floating-point tensors, as `torch.get_default_dtype`."""
    return _default_float


def set_default_float(record: dtype) -> None:
    """Set the type of new floating-point tensors, as `torch.set_default_dtype`."""
    global _default_float
    if not isinstance(record, dtype):
        raise _NumpyTypeError(
            "set_default_dtype: invalid dtype object: only floating-point types are supported as the default type, not "
            f"{type(record).__name__}. Fix: torch.float32 or torch.float64."
        )
    if not record.is_floating_point:
        raise _NumpyTypeError(
            f"set_default_dtype: only floating-point types are supported as the default type, but got {record!r}. Fix: "
            "torch.float32 or torch.float64."
        )
    _default_float = record


def default_complex() -> dtype:
    """The complex type whose parts have the default float type."""
    return complex128 if _default_float is float64 else complex64


def of_number(value: bool | int | float | complex) -> dtype:
    """The type that a Python number takes when it becomes a tensor."""
    if isinstance(value, bool | np.bool_):
        return bool_
    if isinstance(value, int | np.integer):
        return int64
    if isinstance(value, complex):
        return default_complex()
    return default_float()


# Order of widening within and across categories, where it is a plain chain; the exceptions stand in `promote`.
_RANK = {record.name: rank for rank, record in enumerate(
    (bool_, uint8, int8, int16, uint16, int32, uint32, int64, uint64, float16, bfloat16, float32, float64,
     complex64, complex128))}  # fmt: skip

_NOT_PROMOTED = {uint16, uint32, uint64}


def promote(a: dtype, b: dtype) -> dtype:
    """The type that holds both, as `torch.promote_types`.

    Raises:
        DTypeError: PyTorch defines no promotion (uint16/32/64 with anything but itself and floating-point types).
    """
    if a is b:
        return a
    low, high = sorted((a, b), key=lambda record: _RANK[record.name])
    if high.category != FLOAT and (low in _NOT_PROMOTED or high in _NOT_PROMOTED):
        raise DTypeError(
            f"Promotion for uint16, uint32, uint64 types is not supported, attempted to promote {a} and {b}. Fix: "
            "convert one of them, for example with .to(torch.int64)."
        )
    if high.category == INTEGER and low.category == INTEGER:
        return _promote_integers(low, high)
    if {low.name, high.name} == {"float16", "bfloat16"}:
        return float32
    if low is float64 and high is complex64:
        return complex128
    return high


def _promote_integers(low: dtype, high: dtype) -> dtype:
    if {low.numpy.kind, high.numpy.kind} == {"u", "i"}:
        signed = high if low is uint8 else low
        return int16 if signed is int8 else signed
    return high


def can_cast(source: dtype, target: dtype) -> bool:
    """Whether an in-place result of type `source` may be stored as `target`, as `torch.can_cast`."""
    if source.category > target.category:
        return False
    return not (source.category == INTEGER and target is bool_)


def _limits_of(record: dtype) -> dtype:
    """The type whose limits are meant: of a complex number's, its parts'."""
    parts = {complex64: float32, complex128: float64}
    return parts.get(record, record)


ElementType = dtype  # inside the classes below, `dtype` is a field


@dataclass(frozen=True)
class finfo:  # noqa: N801  (PyTorch's name)
    """Limits of a floating-point type, as `torch.finfo`."""

    dtype: str
    bits: int
    eps: float
    max: float
    min: float
    tiny: float
    resolution: float

    def __init__(self, record: ElementType | None = None) -> None:
        record = record or default_float()
        if record.category < FLOAT:
            raise _NumpyTypeError(
                f"torch.finfo() requires a floating point input type. Use torch.iinfo to handle {record}. Fix: "
                f"torch.iinfo({record})."
            )
        info = ml_dtypes.finfo(record.numpy)  # type: ignore[no-untyped-call]
        for key, value in {
            "dtype": _limits_of(record).name, "bits": int(info.bits), "eps": float(info.eps),
            "max": float(info.max), "min": float(info.min), "tiny": float(info.tiny),
            "resolution": 10.0 ** -(int(info.precision) if info.bits > 8 else 0),  # whole decimal digits
        }.items():  # fmt: skip
            object.__setattr__(self, key, value)

    @property
    def smallest_normal(self) -> float:
        return self.tiny

    def __repr__(self) -> str:
        facts = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        return f"finfo({', '.join(f'{fact}={getattr(self, fact):g}' for fact in facts)}, dtype={self.dtype})"


@dataclass(frozen=True)
class iinfo:  # noqa: N801  (PyTorch's name)
    """Limits of an integer type, as `torch.iinfo`."""

    dtype: str
    bits: int
    max: int
    min: int

    def __init__(self, record: ElementType) -> None:
        if record.category != INTEGER:
            raise _NumpyTypeError(
                f"torch.iinfo() requires an integer input type. Use torch.finfo to handle {record}. Fix: "
                f"torch.finfo({record})."
            )
        info = np.iinfo(record.numpy)
        for key, value in {
            "dtype": record.name, "bits": int(info.bits), "max": int(info.max), "min": int(info.min),
        }.items():  # fmt: skip
            object.__setattr__(self, key, value)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


# To programs these are values: libraries that go into dataclasses would take them apart.
for _value in (dtype, finfo, iinfo):
    del _value.__dataclass_fields__
