"""What stands in Kadam for a value or a function of PyTorch.

Values are translated by structure; a function by its public name; a function of PyTorch's test material, such as a
lambda, by running the same code where `torch` is Kadam.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import torch
import torch.testing._utils
from torch.cuda.jiterator import _JittedFunction

import kadam

_PUBLIC = (
    "torch", "torch.nn.functional", "torch.linalg", "torch.fft", "torch.special", "torch.signal.windows",
    "torch.masked", "torch.sparse", "torch.nn.init", "torch.nn.utils", "torch.nn.utils.rnn", "torch.autograd",
    "torch.nn", "torch.optim", "torch.random", "torch.Tensor", "torch._C.TensorBase",
)  # fmt: skip
_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), range, np.generic)


class MissingError(Exception):
    """Kadam has no counterpart."""


class Translation:
    """PyTorch's values as Kadam's: a tensor that occurs twice becomes one, so does a memory."""

    def __init__(self) -> None:
        self.tensors: dict[int, tuple[torch.Tensor, Any]] = {}
        self.memories: dict[int, Any] = {}

    def __call__(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            known = self.tensors.get(id(value))
            if known is None:
                known = self.tensors[id(value)] = value, self._tensor(value)
            return known[1]
        if isinstance(value, torch.Size):
            return kadam.Size(value)
        if isinstance(value, (list, tuple)):
            parts = [self(one) for one in value]
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
        if isinstance(value, dict):
            return type(value)((key, self(one)) for key, one in value.items())
        if isinstance(value, slice):
            return slice(self(value.start), self(value.stop), self(value.step))
        if isinstance(value, torch.Generator):
            return _generator(value)
        if isinstance(value, torch.device):
            return kadam.device(str(value))
        if isinstance(value, torch.nn.Module):
            return self._module(value)
        if isinstance(value, _PLAIN):
            return value
        if dataclasses.is_dataclass(value) and name_of(type(value)) is not None:
            fields = {one.name: self(getattr(value, one.name)) for one in dataclasses.fields(value)}
            return function(type(value))(**fields)
        return function(value)

    def _tensor(self, value: torch.Tensor) -> Any:
        tensor = self._values(value)
        if isinstance(value, torch.nn.Parameter):
            tensor = kadam.nn.Parameter(tensor, requires_grad=value.requires_grad)
        else:
            tensor.requires_grad_(value.requires_grad)
        if value.is_leaf and value.grad is not None:
            tensor.grad = self(value.grad)
        return tensor

    def _values(self, value: torch.Tensor) -> Any:
        """The numbers of a tensor: a view, if another tensor or a larger memory has them too."""
        if value.layout in (torch.sparse_coo, torch.sparse_csr):
            return self._sparse(value.detach())
        if value.layout is not torch.strided:
            raise MissingError(f"tensors of layout {value.layout}")
        if value.device.type == "meta":
            return kadam.empty(tuple(value.shape), dtype=function(value.dtype), device="meta")
        if value.device.type != "cpu":
            raise MissingError(f"tensors on the device {value.device.type}")
        if value.dim() > 64:  # more axes than NumPy's arrays have
            return kadam.zeros(tuple(value.shape))
        storage = value.untyped_storage()
        whole = storage.nbytes() == value.numel() * value.element_size()
        plain = not (value.is_conj() or value.is_neg())
        if whole and storage.data_ptr() not in self.memories:
            tensor = kadam.from_numpy(_array(value))
            if value.is_contiguous() and value.numel() and plain:
                self.memories[storage.data_ptr()] = tensor
            return tensor
        if not plain:
            return kadam.from_numpy(_array(value))
        memory = self.memories.get(storage.data_ptr())
        if memory is None:
            line = torch.empty(0, dtype=value.dtype).set_(storage, 0, (storage.nbytes() // value.element_size(),))
            memory = self.memories[storage.data_ptr()] = kadam.from_numpy(_array(line))
        if memory.dtype is not kadam.from_numpy(_array(value.detach().flatten()[:0])).dtype:
            return kadam.from_numpy(_array(value))
        return memory.as_strided(tuple(value.shape), value.stride(), value.storage_offset())

    def _sparse(self, value: torch.Tensor) -> Any:
        shape = tuple(value.shape)
        if value.layout is torch.sparse_coo:
            return kadam.sparse_coo_tensor(self(value._indices()), self(value._values()), shape)
        parts = [self(one) for one in (value.crow_indices(), value.col_indices(), value.values())]
        return kadam.sparse_csr_tensor(*parts, shape)

    def _module(self, value: torch.nn.Module) -> Any:
        """The module that the same call constructs, with the same state."""
        args, kwargs = _constructions[value]
        made = function(type(value))(*self(args), **self(kwargs))
        made.load_state_dict(self(dict(value.state_dict())))
        return made.train(value.training)


_constructions: weakref.WeakKeyDictionary[torch.nn.Module, Any] = weakref.WeakKeyDictionary()


def remember_constructions() -> None:
    """From now on, PyTorch's modules that are made can be translated."""

    def remembering(kind: Any, *args: Any, **kwargs: Any) -> Any:
        made = object.__new__(kind)
        _constructions[made] = args, kwargs
        return made

    torch.nn.Module.__new__ = staticmethod(remembering)  # type: ignore[method-assign, assignment]


def _array(value: torch.Tensor) -> np.ndarray[Any, Any]:
    """A copy of the memory that a tensor sees, with the tensor's strides."""
    plain = value.detach().resolve_conj().resolve_neg()
    copied = torch.empty_strided(plain.shape, plain.stride(), dtype=plain.dtype)
    if 0 not in plain.stride():
        copied.copy_(plain)
    else:  # memory that several elements share
        whole = plain.untyped_storage().clone()
        copied = torch.empty(0, dtype=plain.dtype).set_(whole, plain.storage_offset(), plain.shape, plain.stride())
    if plain.dtype is torch.bfloat16:
        return copied.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return copied.numpy()


def _generator(value: torch.Generator) -> Any:
    generator = kadam.Generator()
    generator.set_state(kadam.from_numpy(value.get_state().numpy().copy()))
    return generator


def as_torch(value: Any) -> Any:
    """A result of Kadam as PyTorch's: tensors within lists and tuples, and what is no tensor as it is."""
    if isinstance(value, kadam.Tensor):
        array = value.detach().numpy()
        if array.dtype == ml_dtypes.bfloat16:
            return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
        return torch.from_numpy(array.copy())
    if isinstance(value, kadam.sparse.SparseTensor):
        return _sparse_as_torch(value)
    if isinstance(value, kadam.Size):
        return torch.Size(value)
    if isinstance(value, (list, tuple)):
        return [as_torch(one) for one in value]
    if isinstance(value, dict):
        return {key: as_torch(one) for key, one in value.items()}
    if isinstance(value, kadam.dtype):
        return getattr(torch, str(value).removeprefix("torch."))
    return value


def _sparse_as_torch(value: Any) -> torch.Tensor:
    parts, shape = as_torch(value._values()), tuple(value.shape)
    if value.layout == kadam.sparse_coo:
        return torch.sparse_coo_tensor(as_torch(value._indices()), parts, shape, is_coalesced=value.is_coalesced())
    return torch.sparse_csr_tensor(as_torch(value.crow_indices()), as_torch(value.col_indices()), parts, shape)


@functools.cache
def _names() -> dict[int, str]:
    """Public names of PyTorch's functions, classes and constants, by identity."""
    names: dict[int, str] = {}
    for path in _PUBLIC:
        for name in sorted(dir(_at(torch, path)), key=lambda name: name.startswith("_")):
            value = getattr(_at(torch, path), name, None)
            if not isinstance(value, _PLAIN) and (callable(value) or type(value).__module__ == "torch"):
                names.setdefault(id(value), f"{path}.{name}")
    return names


def _at(root: Any, path: str) -> Any:
    return functools.reduce(getattr, path.split(".")[1:], root)


def name_of(value: Any) -> str | None:
    """PyTorch's public name of one of its functions, classes or constants."""
    return _names().get(id(value))


def by_name(path: str) -> Any:
    """What Kadam has under a name of PyTorch.

    Raises:
        MissingError: nothing.
    """
    path = path.replace("torch._C.TensorBase", "torch.Tensor")
    room, _, name = path.rpartition(".")
    try:
        owner = kadam.Tensor if room == "torch.Tensor" else module(room)
        return getattr(owner, name)
    except (AttributeError, ImportError) as error:
        raise MissingError(path) from error


def module(path: str) -> Any:
    """Kadam's module in the place of one of PyTorch's."""
    return importlib.import_module("kadam" + path.removeprefix("torch"))


def function(value: Any) -> Any:
    """What does in Kadam what this function (class, constant) does in PyTorch.

    Raises:
        MissingError: nothing does.
    """
    named = name_of(value)
    if named is not None:
        return by_name(named)
    if isinstance(value, types.ModuleType):
        return _Room(value.__name__) if value.__name__.split(".")[0] == "torch" else value
    if isinstance(value, functools.partial):
        translate = Translation()
        return functools.partial(function(value.func), *translate(value.args), **translate(value.keywords))
    if isinstance(value, (torch._ops.OpOverload, torch._ops.OpOverloadPacket)):
        return _aten(str(value).removeprefix("aten."))
    if isinstance(value, types.FunctionType):
        return _rebound(value)
    if isinstance(value, _JittedFunction):
        kind = module("torch.cuda.jiterator")._JittedFunction
        return kind(value.code_string, value.return_by_ref, value.num_outputs, **value.kwargs_dict)
    if type(value).__module__.startswith("torch.testing._internal"):
        return value  # PyTorch's test material, such as an entry
    if isinstance(value, types.BuiltinFunctionType | type) and not type(value).__module__.startswith("torch"):
        return value
    raise MissingError(f"{getattr(value, '__module__', type(value).__module__)}.{getattr(value, '__name__', value)}")


class _Room:
    """Kadam in the place of a module of PyTorch; what is asked for is looked up when it is used."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __getattr__(self, name: str) -> Any:
        path = f"{self._path}.{name}"
        if path in ("torch.ops.aten", "torch.ops"):
            return _Room(path)
        if self._path == "torch.ops.aten":
            return _Packet(name)
        try:
            found = by_name(path)
        except MissingError:
            if path in ("torch.ops", "torch._C", "torch.jit"):
                return _Room(path)
            raise
        return _Room(path) if isinstance(found, types.ModuleType) else found


class _Packet:
    """An inner operation of PyTorch with all its overloads: Kadam has one function for them."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _aten(self._name)(*args, **kwargs)

    def __getattr__(self, overload: str) -> Any:
        return _aten(self._name)


def _aten(name: str) -> Callable[..., Any]:
    """PyTorch's inner operation `aten::name`."""
    return by_name(f"torch.ops.aten.{name.split('.')[0]}")  # type: ignore[no-any-return]


@contextlib.contextmanager
def _frozen_draws() -> Iterator[None]:
    """What is drawn inside does not change what is drawn afterwards."""
    state = kadam.get_rng_state()
    try:
        yield
    finally:
        kadam.set_rng_state(state)


_rebounds: dict[Any, Any] = {torch.testing._utils.freeze_rng_state: _frozen_draws}


def _rebound(original: types.FunctionType) -> types.FunctionType:
    """The same code with Kadam where it says `torch`."""
    known: types.FunctionType | None = _rebounds.get(original)
    if known is not None:
        return known
    names = {"__builtins__": original.__globals__["__builtins__"], "__name__": original.__module__}
    copied = types.FunctionType(
        original.__code__,
        names,
        original.__name__,
        _translated(original.__defaults__),
        tuple(types.CellType() for _ in original.__closure__ or ()),
    )
    copied.__kwdefaults__ = _translated(original.__kwdefaults__)
    _rebounds[original] = copied
    for name in _names_in(original.__code__):
        if name in original.__globals__:
            names[name] = _translated(original.__globals__[name])
    for cell, old in zip(copied.__closure__ or (), original.__closure__ or (), strict=True):
        cell.cell_contents = _translated(old.cell_contents)
    return copied


def _translated(value: Any) -> Any:
    """A value of a function's surroundings. What Kadam lacks is an error only where it is used."""
    try:
        return Translation()(value)
    except MissingError as error:
        return _Absent(str(error))


class _Absent:
    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise MissingError(self._name)

    def __getattr__(self, name: str) -> Any:
        raise MissingError(self._name)


def _names_in(code: types.CodeType) -> set[str]:
    inner = (one for one in code.co_consts if isinstance(one, types.CodeType))
    return set(code.co_names).union(*map(_names_in, inner))
