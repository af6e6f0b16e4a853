"""Tensors that belong to a module: parameters, which are trained, and buffers, which are not."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

import numpy as np

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import NotATensorError
from kadam.hot import slotted
from kadam.ir.types import TensorType
from kadam.primitives.move import Detach
from kadam.recording.duplicate import copied
from kadam.recording.herd import leave_herd
from kadam.recording.spec import Size
from kadam.recording.succession import take_memory
from kadam.recording.tensor import blank, from_array, new_spec, read, set_requires_grad
from kadam.tensor import Tensor

Kind = TypeVar("Kind", bound=Tensor)
MemberKind = TypeVar("MemberKind", bound="_Member")


class _Member(Tensor):
    """A tensor made on the memory of another one, its lender, which from then on sees it as a view."""

    _lender: Callable[[], Tensor | None] | None = None
    _lent = False

    @property
    def _viewed(self) -> bool:
        # Updates of memory that is viewed cost more, and the lender has mostly been a temporary value.
        return self._lent or (self._lender is not None and self._lender() is not None)

    @_viewed.setter
    def _viewed(self, flag: bool) -> None:
        self._lent = flag


@slotted
class Parameter(_Member):
    """A tensor that a module registers when it is assigned to an attribute, and that an optimizer updates.

    Args:
        data: the initial value; the parameter shares its memory.
        requires_grad: whether it is trained.

    Raises:
        NotATensorError: `data` is no tensor.
        DTypeError: a tensor of integers cannot be trained.
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Self:
        parameter = _on_memory_of(_empty() if data is None else data, cls)
        set_requires_grad(parameter, requires_grad)
        return parameter

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        pass  # `__new__` has done all: the memory comes from `data`

    def __repr__(self) -> str:  # type: ignore[override]  # without the option that is there for PyTorch only
        return f"Parameter containing:\n{super().__repr__()}"

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        if id(self) not in memo:
            memo[id(self)] = type(self)(copied(self), self.requires_grad)
        known: Self = memo[id(self)]
        return known


class Buffer(_Member):
    """A tensor that a module registers as a buffer when it is assigned to an attribute.

    Args:
        data: the initial value; the buffer shares its memory.
        persistent: whether `state_dict` holds it.
    """

    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Self:
        source = _empty() if data is None else data
        buffer = _on_memory_of(source, cls)
        set_requires_grad(buffer, source.requires_grad)
        buffer.persistent = persistent
        return buffer

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True) -> None:
        pass  # as in `Parameter`


def _empty() -> Tensor:
    return from_array(np.empty(0, dtypes.default_float().numpy))


def _on_memory_of(data: Tensor, kind: type[MemberKind]) -> MemberKind:
    """A tensor of a class on the memory of `data`, which becomes its view, unless others see that memory already."""
    if not isinstance(data, Tensor):
        raise NotATensorError(
            f"{kind.__name__}: the data must be a Tensor, not {type(data).__name__}. Fix: torch.tensor(data)."
        )
    owner = blank(kind, data._spec.derived())
    if data._meta:
        owner._meta = True
        return owner
    if data._base is not None or data._viewed or data.requires_grad:
        take_memory(owner, data)
        owner._changes = data.root._changes
        return owner
    owner._array = read(data)
    owner._exposed, owner._changes = data._exposed, data._changes
    leave_herd(data)
    data._base, data._chain, data._rec = owner, (Detach(),), None
    owner._shared = data._shared = True
    owner._lender = weakref.ref(data)
    return owner


_UNINITIALIZED = (
    "Attempted to use an uninitialized parameter. This error happens when you are using a `LazyModule` or explicitly "
    "manipulating `torch.nn.parameter.UninitializedParameter` objects. When using LazyModules Call `forward` with a "
    "dummy batch to initialize the parameters before calling torch functions. Fix: call the module once on a batch."
)


class UninitializedTensorMixin(Tensor):
    """A tensor whose shape is not known yet; any use of its values before `materialize` is an error."""

    cls_to_become: type[Tensor] = Tensor

    @property
    def _array(self) -> Any:
        raise ValueError(_UNINITIALIZED)

    @_array.setter
    def _array(self, array: Any) -> None:
        """It begins without memory, as others do."""

    @property
    def shape(self) -> Size:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward` "
            "to initialize the parameters before accessing their attributes. Fix: call the lazy module once on a "
            "dummy batch."
        )

    def materialize(self, shape: Sequence[int], device: Any = None, dtype: dtype | None = None) -> None:
        """Give it memory of a shape, with values that mean nothing yet; it stays the same object."""
        kind = TensorType(dtype or self.dtype, tuple(shape))
        self.__class__ = self.cls_to_become  # type: ignore[assignment]  # it stops being uninitialized
        self._array = np.empty(kind.shape, kind.dtype.numpy)
        self._spec = new_spec(kind, self.requires_grad)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The same, of another element type."""
        target = next((one for one in (*args, *kwargs.values()) if isinstance(one, dtypes.dtype | Tensor)), self)
        record = target.dtype if isinstance(target, Tensor) else target
        return self if record is self.dtype else _uninitialized(type(self), record, self.requires_grad)

    def __repr__(self) -> str:  # type: ignore[override]  # without the option that is there for PyTorch only
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return memo.setdefault(id(self), _uninitialized(type(self), self.dtype, self.requires_grad))  # type: ignore[no-any-return]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _uninitialized, (type(self), self.dtype, self.requires_grad)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter of a lazy module: its shape follows from the first input.

    Args:
        requires_grad: whether it will be trained.
        device: the CPU.
        dtype: its element type.
    """

    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: dtype | None = None) -> Self:
        return _uninitialized(cls, dtype, requires_grad)

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: dtype | None = None) -> None:
        pass  # as in `Parameter`


class UninitializedBuffer(UninitializedTensorMixin, Buffer):
    """A buffer of a lazy module: its shape follows from the first input.

    Args:
        requires_grad: whether gradients flow to it.
        device: the CPU.
        dtype: its element type.
        persistent: whether `state_dict` holds it.
    """

    cls_to_become = Tensor
    persistent = True

    def __new__(
        cls, requires_grad: bool = False, device: Any = None, dtype: dtype | None = None, persistent: bool = True
    ) -> Self:
        buffer = _uninitialized(cls, dtype, requires_grad)
        buffer.persistent = persistent
        return buffer

    def __init__(
        self, requires_grad: bool = False, device: Any = None, dtype: dtype | None = None, persistent: bool = True
    ) -> None:
        pass  # as in `Parameter`


def _uninitialized(kind: type[Kind], dtype: dtype | None, requires_grad: bool) -> Kind:
    return blank(kind, new_spec(TensorType(dtype or dtypes.default_float(), (0,)), requires_grad))


def is_lazy(param: object) -> bool:
    """Whether a parameter or buffer waits for its shape."""
    return isinstance(param, UninitializedTensorMixin)
