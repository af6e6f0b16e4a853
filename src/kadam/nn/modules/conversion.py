"""Changing the element type or the place of everything that a module holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import UnsupportedError
from kadam.nn.modules.registration import BUFFER, PARAMETER, members_of
from kadam.nn.modules.state import Stateful
from kadam.nn.parameter import Parameter, is_lazy
from kadam.ops.creation import empty_like
from kadam.recording.meta import NoDataError
from kadam.recording.modes import no_grad
from kadam.tensor import Tensor


class Convertible(Stateful):
    """The part of `Module` that applies a function to all tensors; parameters stay the same objects."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace the value of every parameter, gradient and buffer by `fn` of it."""
        if recurse:
            for child in self.children():
                child._apply(fn)
        for _, parameter in members_of(vars(self), PARAMETER):
            if parameter is not None:
                _convert(parameter, fn)
        for name, buffer in members_of(vars(self), BUFFER):
            if buffer is not None:
                vars(self)[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Convert floating-point parameters and buffers to a type, or move all to a device; as `Tensor.to`.

        A `memory_format` is that of the tensors with four axes (`channels_last`) or five (`channels_last_3d`).

        Raises:
            TypeError: the type is not a floating-point or complex one.
        """
        layout = kwargs.pop("memory_format", None)

        def convert(tensor: Tensor) -> Tensor:
            laid = {"memory_format": layout} if layout is not None and tensor.dim() in (4, 5) else {}
            return tensor.to(*args, **laid, **kwargs)

        target = next((one for one in (*args, *kwargs.values()) if isinstance(one, dtype | Tensor)), None)
        record = target.dtype if isinstance(target, Tensor) else target
        if record is None:
            return self._apply(convert)
        if not (record.is_floating_point or record.is_complex):
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={record}. Fix: "
                "convert to torch.float32 or torch.float64; a model does not compute with integers."
            )
        return self._apply_to_floating(convert)

    def type(self, dst_type: dtype | str) -> Self:
        """Convert all parameters and buffers to a type."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def float(self) -> Self:
        """Convert floating-point parameters and buffers to float32."""
        return self._apply_to_floating(lambda tensor: tensor.to(dtypes.float32))

    def double(self) -> Self:
        """Convert floating-point parameters and buffers to float64."""
        return self._apply_to_floating(lambda tensor: tensor.to(dtypes.float64))

    def half(self) -> Self:
        """Convert floating-point parameters and buffers to float16."""
        return self._apply_to_floating(lambda tensor: tensor.to(dtypes.float16))

    def bfloat16(self) -> Self:
        """Convert floating-point parameters and buffers to bfloat16."""
        return self._apply_to_floating(lambda tensor: tensor.to(dtypes.bfloat16))

    def _apply_to_floating(self, fn: Callable[[Tensor], Tensor]) -> Self:
        def convert(tensor: Tensor) -> Tensor:
            return fn(tensor) if tensor.is_floating_point() or tensor.is_complex() else tensor

        return self._apply(convert)

    def cpu(self) -> Self:
        """Move all parameters and buffers to the CPU, where they are."""
        return self._apply(lambda tensor: tensor.cpu())

    def cuda(self, device: Any = None) -> Self:
        """Move all parameters and buffers to a GPU; raises as PyTorch built without CUDA does."""
        return self._apply(lambda tensor: tensor.cuda(device))

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Give all parameters and buffers fresh memory on a device, without their values."""
        return self._apply(lambda tensor: empty_like(tensor, device=device), recurse=recurse)

    def share_memory(self) -> Self:
        """Kadam has no memory that processes share.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(
            "Module.share_memory: Kadam has no memory that processes share. Fix: send model.state_dict() to the other "
            "process, or save it to a file that the other process loads."
        )


_WITHOUT_DATA = (
    "Cannot copy out of meta tensor; no data! Please use torch.nn.Module.to_empty() instead of torch.nn.Module.to() "
    "when moving module from meta to a different device. Fix: model.to_empty(device='cpu')."
)


def _convert(parameter: Parameter, fn: Callable[[Tensor], Tensor]) -> None:
    with no_grad():
        try:
            converted = fn(parameter)
        except NoDataError as error:
            raise NoDataError(_WITHOUT_DATA) from error
        gradient = None if parameter.grad is None else fn(parameter.grad)
    if is_lazy(parameter):
        parameter._spec = converted._spec
    elif converted is not parameter:
        parameter.data = converted
    if gradient is not parameter.grad:
        parameter.grad = gradient
