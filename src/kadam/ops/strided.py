"""Tensors and their memory: views by strides, memory laid out in other orders, memory made larger or smaller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.errors import OperandError, ShapeError
from kadam.ir.primitive import Primitive
from kadam.ops import shape
from kadam.ops.creation import empty_strided
from kadam.ops.shape import sizes_of
from kadam.primitives.strided import AsStrided
from kadam.recording.layout import offset_of
from kadam.recording.modes import grad_mode
from kadam.recording.operation import view
from kadam.recording.order import in_row
from kadam.recording.step import state
from kadam.recording.succession import renew_memory, succeed, take_memory
from kadam.recording.tensor import blank, check_writable, from_array, made, read, touch
from kadam.recording.view import restore
from kadam.shapes import Shape, count

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@view(grad="AsStridedBackward0")
def _strided(input: Tensor, size: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Sequence[Primitive]:
    seen = AsStrided(size, stride, offset)
    seen.require(count(tuple(input.shape)), input.dtype.itemsize)  # known values are seen at once, without a recording
    return (seen,)


def as_strided(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """The memory of a tensor, seen with these sizes and strides. As `torch.as_strided`.

    Args:
        input: the tensor; if it is a view, the memory is that of the tensor that it views.
        size: of the axes.
        stride: steps between neighbours along each axis, in elements.
        storage_offset: where the first element stands; by default where that of `input` does.

    Raises:
        ShapeError: not as many strides as sizes; negative ones; places outside the memory.
    """
    sizes, strides = sizes_of("as_strided", (tuple(size),)), sizes_of("as_strided", (tuple(stride),))
    if len(sizes) != len(strides):
        raise ShapeError(
            f"as_strided: mismatch in length of strides and shape: {list(strides)} for {list(sizes)}. Fix: give a "
            "stride for each size."
        )
    if any(step < 0 for step in strides):
        raise ShapeError(
            f"as_strided: Negative strides are not supported at the moment, got strides: {list(strides)}. Fix: flip()."
        )
    whole: Any = input if input._node is not None else input.root
    offset = storage_offset if storage_offset is not None else 0 if whole is input else offset_of(input)
    if offset < 0:
        raise ShapeError(f"as_strided: Tensor: invalid storage offset {offset}. Fix: give one of at least 0.")
    if state.grad and input.requires_grad and not whole.requires_grad:
        whole = restore(whole, input, input._chain)  # the same values; those of `input` have gradients
    if whole._spec.order is not None:
        whole = shape.permute(whole, whole._spec.order)  # row by row, as its memory lies
    return _strided(whole, sizes, strides, offset)


def as_strided_scatter(
    input: Tensor, src: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """A copy of `input` in which what `as_strided` shows is replaced by `src`. As `torch.as_strided_scatter`.

    Raises:
        ShapeError: `src` has another shape than what is replaced, or as `as_strided`.
    """
    result = input.clone()
    part = as_strided(result, size, stride, storage_offset)
    if part.shape != src.shape:
        raise ShapeError(
            f"as_strided_scatter: expected src to have a size equal to the slice of self. src size = "
            f"{list(src.shape)}, slice size = {list(part.shape)}. Fix: src.reshape({list(part.shape)})."
        )
    part.copy_(src)
    return result


def as_strided_copy(
    input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """What `as_strided` shows, in memory of its own. As `torch.as_strided_copy`."""
    return as_strided(input, size, stride, storage_offset).clone()


def empty_permuted(size: Sequence[int], physical_layout: Sequence[int], **options: Any) -> Tensor:
    """A tensor without gaps whose axes lie in memory in this order, outermost first. As `torch.empty_permuted`.

    Raises:
        ShapeError: `physical_layout` is no order of the axes.
    """
    sizes, order = sizes_of("empty_permuted", (tuple(size),)), tuple(physical_layout)
    if len(sizes) != len(order):
        raise ShapeError(
            f"empty_permuted: Number of dimensions in size does not match the length of the physical_layout; i.e. "
            f"len(size) = {len(sizes)} is not equal to len(physical_layout) = {len(order)}. Fix: name each axis once."
        )
    if sorted(order) != list(range(len(sizes))):
        outside = any(not 0 <= axis < len(sizes) for axis in order)
        verdict = "Dimension out of range" if outside else "Duplicate dim not allowed"
        raise ShapeError(f"empty_permuted: {verdict} in physical_layout {list(order)}. Fix: name each axis once.")
    strides, step = [0] * len(sizes), 1
    for axis in reversed(order):
        strides[axis], step = step, step * max(sizes[axis], 1)
    return empty_strided(sizes, strides, **options)


def resize_(self: Tensor, *given: Any, size: Sequence[int] | None = None, memory_format: object = None) -> Tensor:
    """Give the tensor another shape: elements stay as they lie in memory while there is room, new ones are zero.

    As `Tensor.resize_`.

    Raises:
        ShapeError: the tensor requires grad, or a size is negative.
    """
    sizes = sizes_of("resize_", given if size is None else (size,))
    if any(one < 0 for one in sizes):
        raise ShapeError(
            f"resize_: requested resize to {list(sizes)} has a negative size. Fix: give sizes of 0 or more."
        )
    if self.requires_grad:
        raise ShapeError("resize_: cannot resize variables that require grad. Fix: x.detach().clone().resize_(...).")
    if tuple(self.shape) != sizes:
        renew_memory(self, from_array(_refilled(in_row(read(self), self._spec.order), sizes)))
    return self


def _refilled(array: np.ndarray[Any, Any], shape: Shape) -> np.ndarray[Any, Any]:
    line = np.zeros(count(shape), array.dtype)
    kept = min(array.size, line.size)
    line[:kept] = array.reshape(-1)[:kept]
    return line.reshape(shape)


def resize_as_(self: Tensor, the_template: Tensor, *, memory_format: object = None) -> Tensor:
    """Give the tensor the shape of another. As `Tensor.resize_as_`."""
    if not hasattr(the_template, "shape"):
        raise OperandError("resize_as_(): argument 'the_template' must be Tensor. Fix: resize_(*sizes).")
    return resize_(self, tuple(the_template.shape))


def seen_in_place(seen: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The in-place form of a function of views: the tensor itself shows its memory as the view does.

    The new method raises:
        InPlaceError: the tensor is a leaf that requires grad, in grad mode.
    """

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_writable(self)
        if self._spec.requires_grad and self.is_leaf:
            take_memory(self, seen(self.detach(), *args, **kwargs))
            touch(self)
            return self
        before, apart = blank(made.cls, self._spec), self._apart
        succeed(self, before)
        try:
            with grad_mode(True):  # it keeps its derivative in any grad mode
                now: Any = seen(before, *args, **kwargs)
        except BaseException:
            succeed(before, self)
            raise
        succeed(now, self)
        self._apart = apart
        touch(self)
        self._as_of = self.root._changes
        return self

    name = seen.__name__ + "_"
    method.__name__ = method.__qualname__ = name
    method.__code__ = method.__code__.replace(co_name=name, co_qualname=name)  # by which errors call it
    method.__doc__ = f"In-place form of `{seen.__name__}`."
    return method


as_strided_, squeeze_ = seen_in_place(as_strided), seen_in_place(shape.squeeze)
unsqueeze_, t_, transpose_ = seen_in_place(shape.unsqueeze), seen_in_place(shape.t), seen_in_place(shape.transpose)
