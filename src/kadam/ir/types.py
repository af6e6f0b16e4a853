"""The type of a value: element type and shape."""

from __future__ import annotations

from dataclasses import dataclass

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import TextError
from kadam.shapes import Shape, count


@dataclass(frozen=True, slots=True)
class TensorType:
    """Element type and shape, printed as `f32[2,3]`; a number is `f32[]`."""

    dtype: dtype
    shape: Shape

    def __str__(self) -> str:
        return f"{self.dtype.short}[{','.join(map(str, self.shape))}]"

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def elements(self) -> int:
        return count(self.shape)

    @property
    def size_bytes(self) -> int:
        return self.elements * self.dtype.itemsize

    def with_shape(self, shape: Shape) -> TensorType:
        return TensorType(self.dtype, shape)

    def with_dtype(self, record: dtypes.dtype) -> TensorType:
        return TensorType(record, self.shape)


def parse_type(text: str) -> TensorType:
    """Read `f32[2,3]` back.

    Raises:
        TextError: the text is not a type.
    """
    short, bracket, sizes = text.strip().partition("[")
    if not bracket or not sizes.endswith("]"):
        raise TextError(f"not a tensor type: {text!r}; one looks like f32[2,3]")
    try:
        shape = tuple(int(size) for size in sizes[:-1].split(",") if size.strip())
        return TensorType(dtypes.by_short(short), shape)
    except (KeyError, ValueError) as error:
        raise TextError(f"not a tensor type: {text!r}; one looks like f32[2,3]") from error
