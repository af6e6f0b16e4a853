"""Writing an object as PyTorch would pickle it, tensors under PyTorch's names and their memory left out."""

from __future__ import annotations

import copyreg
import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from kadam.device import device
from kadam.errors import KadamError, UnsupportedError
from kadam.layouts import layout, sparse_csr
from kadam.nn.modules.module import Module
from kadam.nn.parameter import Buffer, Parameter
from kadam.recording.spec import Size
from kadam.recording.storage import memory_of
from kadam.serialization import vocabulary
from kadam.serialization.files import FileError
from kadam.serialization.programs import public_name, state_of
from kadam.serialization.storage import UNTYPED, Storage, type_for
from kadam.serialization.vocabulary import TORCH, attributes_of
from kadam.sparse.tensor import SparseTensor
from kadam.tensor import Tensor

_FIX = "save what it is made of: state_dict(), or its tensors"
_FIXES = {
    "_initialize": "run the model once first, which gives its lazy layers their shapes",
    "Generator": "save generator.get_state(), and generator.set_state(state) after loading",
    "DistributedDataParallel": "save model.module, or model.module.state_dict()",
    "WeightNorm": "torch.nn.utils.remove_weight_norm(module) first, or save model.state_dict()",
    "SpectralNorm": "torch.nn.utils.remove_spectral_norm(module) first, or save model.state_dict()",
}
_NAME_OF = {id(known): name for name, known in TORCH.items()}


class UnpicklableError(KadamError, pickle.PicklingError, AttributeError, TypeError):
    """Something that a file cannot hold; pickle raises any of the three for it."""


def pickled(obj: object, protocol: int) -> tuple[bytes, list[Storage]]:
    """The pickle of `obj`, and the storages that it refers to, in the order of their keys.

    Raises:
        UnpicklableError: `obj` holds something that cannot be pickled.
    """
    file = io.BytesIO()
    pickler = _Pickler(file, protocol)
    try:
        pickler.dump(obj)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        if isinstance(error, KadamError):
            raise
        raise UnpicklableError(
            f"save: {error}. Fix: save what is made of tensors, numbers, strings, lists and dicts, such as "
            "model.state_dict()."
        ) from None
    return file.getvalue(), list(pickler.storages.values())


@dataclass(eq=False)
class _Data:
    """A parameter without its role: the plain tensor that a file holds inside it."""

    of: Tensor


def _sparse_parts(tensor: SparseTensor) -> tuple[Any, ...]:
    values = tensor._values().detach()
    if tensor.layout == sparse_csr:
        return tensor.crow_indices(), tensor.col_indices(), values, tensor.shape
    return tensor._indices(), values, tensor.shape, tensor.is_coalesced()


class _Pickler(pickle._Pickler):
    # The pure-Python pickler, because the compiled one writes only names that it can import.
    write: Callable[[bytes], object]
    memoize: Callable[[object], None]

    def __init__(self, file: io.BytesIO, protocol: int) -> None:
        super().__init__(file, protocol)
        self.storages: dict[object, Storage] = {}

    def persistent_id(self, obj: object) -> tuple[object, ...] | None:
        if not isinstance(obj, Storage):
            return None
        return "storage", obj.type, obj.key, "cpu", obj.count

    def reducer_override(self, obj: Any) -> Any:
        if id(obj) in _NAME_OF:
            return _NAME_OF[id(obj)]
        if isinstance(obj, type | FunctionType):
            return public_name(obj) or self._of_program(obj)
        if isinstance(obj, Tensor):
            return self._tensor(obj)
        if isinstance(obj, _Data):
            return self._memory(obj.of, requires_grad=False)
        if isinstance(obj, SparseTensor):
            return vocabulary.rebuild_sparse, (obj.layout, _sparse_parts(obj))
        if isinstance(obj, layout):
            return vocabulary.layout_named, (str(obj),)
        if isinstance(obj, Size):
            return Size, (tuple(obj),)
        if isinstance(obj, device):
            return device, (obj.type,) if obj.index is None else (obj.type, obj.index)
        if isinstance(obj, Module) and type(obj).__getstate__ is object.__getstate__:
            return copyreg.__newobj__, (type(obj),), state_of(obj)  # type: ignore[attr-defined]
        return NotImplemented

    def _of_program(self, known: type | FunctionType) -> Any:
        """Leave a class or function to pickle, unless it is one of Kadam's own that no file can hold."""
        if known.__module__.partition(".")[0] not in ("kadam", "torch"):
            return NotImplemented
        raise UnsupportedError(
            f"save: {known.__module__}.{known.__qualname__} cannot be in a file: of Kadam's objects, tensors, modules "
            f"of layers and functions of tensors can. Fix: {_FIXES.get(known.__name__, _FIX)}."
        )

    def save_global(self, obj: Any, name: str | None = None) -> None:
        if name is None or not name.startswith(("torch.", "torchvision.")):
            super().save_global(obj, name)  # type: ignore[misc]
            return
        module, _, attribute = name.rpartition(".")
        self.write(pickle.GLOBAL + f"{module}\n{attribute}\n".encode())
        self.memoize(obj)

    def _tensor(self, tensor: Tensor) -> tuple[Any, ...]:
        """How a tensor is rebuilt, with its role and the attributes that the program has set on it."""
        if type(tensor) not in (Tensor, Parameter, Buffer):
            raise UnsupportedError(
                f"save: a tensor of class {type(tensor).__name__} would come back as a plain one. "
                "Fix: save its values, x.detach().clone()."
            )
        attributes = attributes_of(tensor)
        if isinstance(tensor, Parameter):
            no_hooks: OrderedDict[str, Any] = OrderedDict()
            args = (_Data(tensor), tensor.requires_grad, no_hooks)
            if attributes:
                return vocabulary.rebuild_parameter_with_state, (*args, attributes)
            return vocabulary.rebuild_parameter, args
        rebuild = self._memory(tensor, tensor.requires_grad)
        return (vocabulary.rebuild_from_type, (rebuild[0], Tensor, rebuild[1], attributes)) if attributes else rebuild

    def _memory(self, tensor: Tensor, requires_grad: bool) -> tuple[Any, ...]:
        """How a plain tensor is rebuilt from its storage."""
        owner, elements, offset, shape, strides = memory_of(tensor)
        kind = type_for(tensor.dtype)
        if owner not in self.storages:
            self.storages[owner] = Storage(kind, str(len(self.storages)), elements.view(np.uint8))
        storage = self.storages[owner]
        if storage.type is not kind:
            raise FileError("save: tensors of different types see the same memory. Fix: save a clone() of one of them.")
        no_hooks: OrderedDict[str, Any] = OrderedDict()
        args = (storage, offset, tuple(shape), tuple(strides), requires_grad, no_hooks)
        if kind is UNTYPED:
            return vocabulary.rebuild_tensor_as, (*args, tensor.dtype)
        return vocabulary.rebuild_tensor, args
