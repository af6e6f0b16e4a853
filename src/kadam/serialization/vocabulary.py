"""What a checkpoint may name: PyTorch's names on one side, Kadam's objects on the other, the same for both directions.

A pickle builds its objects by naming functions and classes. These are all of them: none can do more than build a value.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from kadam import dtypes, layouts
from kadam.device import device
from kadam.errors import UnsupportedError
from kadam.nn.parameter import Buffer, Parameter
from kadam.recording.spec import Size
from kadam.recording.tensor import set_requires_grad
from kadam.serialization.files import CheckpointError
from kadam.serialization.storage import STORAGE_TYPES, UNTYPED, Storage
from kadam.sparse.creation import sparse_coo_tensor, sparse_csr_tensor
from kadam.sparse.tensor import SparseTensor
from kadam.tensor import Tensor

AnyTensor = TypeVar("AnyTensor", bound=Tensor)


def rebuild_tensor(
    storage: Storage,
    offset: int,
    shape: Sequence[int],
    strides: Sequence[int],
    requires_grad: bool,
    backward_hooks: object,
    metadata: dict[str, bool] | None = None,
) -> Tensor:
    """A tensor of the storage's own type."""
    return rebuild_tensor_as(
        storage, offset, shape, strides, requires_grad, backward_hooks, storage.type.dtype, metadata
    )


def rebuild_tensor_as(
    storage: Storage,
    offset: int,
    shape: Sequence[int],
    strides: Sequence[int],
    requires_grad: bool,
    backward_hooks: object,
    dtype: dtypes.dtype,
    metadata: dict[str, bool] | None = None,
) -> Tensor:
    """A tensor that sees the storage's bytes as `dtype`.

    Raises:
        CheckpointError: the tensor would reach beyond its storage.
        UnsupportedError: a lazy conjugate or negative.
    """
    if metadata and any(metadata.values()):
        raise UnsupportedError(
            f"load: a tensor is stored as a lazy view ({', '.join(metadata)}), which Kadam does not have. "
            "Fix: save x.resolve_conj() or x.resolve_neg() instead."
        )
    _check_reach(storage.content.size // dtype.itemsize, offset, shape, strides)
    tensor = storage.tensor(dtype, offset, tuple(shape), tuple(strides))
    set_requires_grad(tensor, bool(requires_grad))
    return tensor


def _check_reach(length: int, offset: int, shape: Sequence[int], strides: Sequence[int]) -> None:
    numbers = (offset, *shape, *strides)
    is_sane = len(shape) == len(strides) and all(type(number) is int and number >= 0 for number in numbers)
    reach = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=False)) + 1
    if not is_sane or (0 not in shape and reach > length):
        raise CheckpointError(
            f"load: a tensor of shape {list(shape)}, strides {list(strides)} and offset {offset} does not lie inside "
            f"its storage of {length} elements. Fix: copy it again, or save it again."
        )


def rebuild_parameter(data: Tensor, requires_grad: bool, backward_hooks: object) -> Parameter:
    """A parameter with the memory of `data`."""
    return Parameter(data, requires_grad)


def rebuild_parameter_with_state(
    data: Tensor, requires_grad: bool, backward_hooks: object, state: dict[str, Any]
) -> Parameter:
    """A parameter on which the program had set attributes of its own."""
    return with_attributes(rebuild_parameter(data, requires_grad, backward_hooks), state)


def rebuild_from_type(
    rebuild: Callable[..., Tensor], kind: type, args: tuple[Any, ...], state: dict[str, Any]
) -> Tensor:
    """A tensor on which the program had set attributes of its own."""
    if rebuild not in (rebuild_tensor, rebuild_tensor_as, rebuild_parameter) or kind not in (Tensor, Parameter):
        raise CheckpointError(
            f"load: a {kind!r} cannot be rebuilt by {rebuild!r}. Fix: save a state_dict with torch.save."
        )
    tensor = with_attributes(rebuild(*args), state)
    return (
        Buffer(tensor, persistent=state.get("persistent") is not False) if state.get("_is_buffer") is True else tensor
    )


LAYOUTS = {str(one): one for one in (layouts.sparse_coo, layouts.sparse_csr)}


def layout_named(name: str) -> layouts.layout:
    """A layout of sparse tensors.

    Raises:
        UnsupportedError: another one.
    """
    if name not in LAYOUTS:
        raise UnsupportedError(f"load: a tensor of the layout {name}. Fix: save x.to_dense() instead.")
    return LAYOUTS[name]


def rebuild_sparse(layout: layouts.layout, parts: Sequence[Any]) -> SparseTensor:
    """A sparse tensor of its places and values: (indices, values, size, is_coalesced), or of compressed rows
    (crow_indices, col_indices, values, size)."""
    if layout == layouts.sparse_csr:
        return sparse_csr_tensor(*parts)
    indices, values, size, *coalesced = parts
    return sparse_coo_tensor(indices, values, size, is_coalesced=coalesced[0] if coalesced else None)


# A buffer's role belongs to its module; in a file it is a tensor.
_BUFFER_ROLE = ("persistent", "_is_buffer")


def attributes_of(tensor: Tensor) -> dict[str, Any]:
    """What the program itself has set on a tensor."""
    return {
        name: value for name, value in vars(tensor).items() if not name.startswith("_") and name not in _BUFFER_ROLE
    }


def with_attributes(tensor: AnyTensor, state: dict[str, Any]) -> AnyTensor:
    """The tensor with attributes that a file gives it; never one that Kadam itself uses."""
    for name, value in state.items():
        if name in _BUFFER_ROLE:
            continue
        if name.startswith("_") or hasattr(type(tensor), name):
            raise CheckpointError(
                f"load: a tensor's attribute {name!r} cannot come from a file. Fix: save a state_dict of plain tensors."
            )
        setattr(tensor, name, value)
    return tensor


def encode(text: str, encoding: str) -> bytes:
    """The bytes that an old pickle protocol writes as text."""
    if encoding not in ("latin1", "latin-1"):
        raise CheckpointError(
            f"load: bytes are stored as {encoding!r} text; only 'latin1' is known. Fix: save it again with torch.save."
        )
    return text.encode(encoding)


TORCH: dict[str, Any] = {
    "torch.Size": Size,
    "torch.device": device,
    "torch._utils._rebuild_tensor_v2": rebuild_tensor,
    "torch._utils._rebuild_tensor_v3": rebuild_tensor_as,
    "torch._utils._rebuild_parameter": rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": rebuild_parameter_with_state,
    "torch._tensor._rebuild_from_type_v2": rebuild_from_type,
    "torch._utils._rebuild_sparse_tensor": rebuild_sparse,
    "torch.serialization._get_layout": layout_named,
    "torch.Tensor": Tensor,
    "torch.nn.parameter.Parameter": Parameter,
    **{f"torch.{kind.name}": kind for kind in (UNTYPED, *STORAGE_TYPES.values())},
    **{f"torch.{dtype.name}": dtype for dtype in dtypes.ALL},
}
PYTHON: dict[str, Any] = {
    "collections.OrderedDict": OrderedDict,
    "collections.Counter": Counter,
    "builtins.set": set,
    "builtins.bytes": bytes,
    "builtins.bytearray": bytearray,
    "builtins.complex": complex,
    "_codecs.encode": encode,
}
