"""What is known of tensors and types without their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.ops import promotion
from kadam.recording.arguments import guarded
from kadam.recording.layout import strides_of
from kadam.recording.spec import Size
from kadam.recording.tensor import Recorded
from kadam.shapes import broadcast

if TYPE_CHECKING:
    from kadam.tensor import Tensor

can_cast = dtypes.can_cast
get_default_dtype = dtypes.default_float
set_default_dtype = dtypes.set_default_float


@guarded
def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The type that holds both. As `torch.promote_types`."""
    return dtypes.promote(type1, type2)


def result_type(tensor1: Any, tensor2: Any) -> dtype:
    """The element type in which two operands meet. As `torch.result_type`."""
    return promotion.result_type(tensor1, tensor2)


def is_tensor(obj: Any) -> bool:
    """Whether an object is a tensor. As `torch.is_tensor`."""
    return isinstance(obj, Recorded)


@guarded
def is_floating_point(input: Tensor) -> bool:
    """Whether the elements are floating-point numbers. As `torch.is_floating_point`."""
    return input.dtype.is_floating_point


@guarded
def is_complex(input: Tensor) -> bool:
    """Whether the elements are complex numbers. As `torch.is_complex`."""
    return input.dtype.is_complex


@guarded
def is_nonzero(input: Tensor) -> bool:
    """Whether the one element is not zero. As `torch.is_nonzero`."""
    return bool(input)


@guarded
def numel(input: Tensor) -> int:
    """The number of elements. As `torch.numel`."""
    return input.numel()


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape to which shapes stretch. As `torch.broadcast_shapes`."""
    return Size(broadcast(*[(one,) if isinstance(one, int) else tuple(one) for one in shapes]))


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Tensors stretched to each other. As `torch.broadcast_tensors`."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    shape = broadcast_shapes(*[one.shape for one in given])
    return tuple(one.expand(shape) for one in given)


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have one shape. As `torch.is_same_size`."""
    return tuple(input.shape) == tuple(other.shape)


def typename(obj: Any) -> str:
    """The type of a value, as `torch.FloatTensor` for tensors. As `torch.typename`."""
    if isinstance(obj, Recorded):
        return str(obj.type())  # type: ignore[attr-defined]
    kind = obj if isinstance(obj, type) else type(obj)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


@guarded
def is_signed(input: Tensor) -> bool:
    """Whether the element type has negative numbers. As `torch.is_signed`."""
    return input.dtype.is_signed


@guarded
def is_inference(input: Tensor) -> bool:
    """Whether the tensor was made in inference mode. As `torch.is_inference`."""
    return input._spec.inference


@guarded
def is_conj(input: Tensor) -> bool:
    """False: conjugates are computed, not marked. As `torch.is_conj`."""
    return False


@guarded
def is_neg(input: Tensor) -> bool:
    """False: negatives are computed, not marked. As `torch.is_neg`."""
    return False


@guarded
def is_distributed(input: Tensor) -> bool:
    """False: a tensor is in one process. As `torch.is_distributed`."""
    return False


@guarded
def get_device(input: Tensor) -> int:
    """The number of the device; -1 for the CPU. As `torch.get_device`."""
    return -1


def dim_order(self: Tensor) -> tuple[int, ...]:
    """The axes, the one with the largest steps in memory first. As `Tensor.dim_order`."""
    steps = strides_of(self)
    return tuple(sorted(range(len(steps)), key=lambda axis: -steps[axis]))
