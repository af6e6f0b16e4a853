"""Tensors and modules to files and back. As `safetensors.torch`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kadam.errors import OperandError
from kadam.nn import Module
from kadam.recording.tensor import Recorded, from_array, read
from kadam.safetensors.format import Array, Content, written
from kadam.tensor import Tensor


def save(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Tensors as the content of a file.

    Raises:
        RuntimeError: some share memory.
        OperandError: a value is no tensor.
    """
    return written(_arrays(tensors), metadata)


def save_file(tensors: Mapping[str, Tensor], filename: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors to a file; see `save`."""
    Path(filename).write_bytes(save(tensors, metadata))


def load(data: bytes) -> dict[str, Tensor]:
    """The tensors that a file's content holds."""
    content = Content(data)
    return {name: from_array(content.array(name)) for name in content.names()}


def load_file(filename: str | Path, device: Any = "cpu") -> dict[str, Tensor]:
    """The tensors in a file."""
    return load(Path(filename).read_bytes())


def save_model(
    model: Module, filename: str, metadata: Mapping[str, str] | None = None, force_contiguous: bool = True
) -> None:
    """Write a module's state to a file; tensors that share memory once, under the first of their names."""
    state = model.state_dict()
    kept, names = {}, dict(metadata or {})
    for group in _sharing(state):
        first, *others = sorted(group)
        kept[first] = state[first]
        names.update(dict.fromkeys(others, first))
    save_file(kept, filename, names or None)


def storage_ptr(tensor: Tensor) -> int:
    """Where the memory that a tensor is a part of begins."""
    return tensor.untyped_storage().data_ptr()


def storage_size(tensor: Tensor) -> int:
    """How many bytes that memory has."""
    return tensor.untyped_storage().nbytes()


def load_model(
    model: Module, filename: str | Path, strict: bool = True, device: Any = "cpu"
) -> tuple[set[str], list[str]]:
    """Load a module's state from a file; the names that are missing, and those that the module lacks.

    Raises:
        RuntimeError: there are such names, and `strict` is on.
    """
    state = load_file(filename)
    own = model.state_dict()
    shared = {name for group in _sharing(own) if set(group) & state.keys() for name in group}
    missing = [name for name in own if name not in state and name not in shared]
    unexpected = [name for name in state if name not in own]
    model.load_state_dict(state, strict=False)
    if strict and (missing or unexpected):
        raise RuntimeError(
            f"Error(s) in loading state_dict for {type(model).__name__}: missing {missing}, unexpected {unexpected}. "
            "Fix: strict=False."
        )
    return set(missing), unexpected


def _arrays(tensors: Mapping[str, Any]) -> dict[str, Array]:
    for name, tensor in tensors.items():
        if not isinstance(tensor, Recorded):
            raise OperandError(
                f"Key `{name}` is invalid, expected torch.Tensor but received {type(tensor)}. Fix: torch.tensor(value)."
            )
    shared = [sorted(group) for group in _sharing(tensors) if len(group) > 1]
    if shared:
        raise RuntimeError(
            f"Some tensors share memory, this will lead to duplicate memory on disk and potential differences when "
            f"loading them again: {shared}. Fix: save_model(model, filename), or clone() them."
        )
    return {name: read(tensor) for name, tensor in tensors.items()}


def _sharing(tensors: Mapping[str, Any]) -> list[list[str]]:
    """The names by the memory that their tensors lie in."""
    found: dict[Any, list[str]] = {}
    for name, tensor in tensors.items():
        memory: Any = read(tensor)
        while memory.base is not None and hasattr(memory.base, "ctypes"):
            memory = memory.base
        found.setdefault(memory.ctypes.data if memory.size else name, []).append(name)
    return list(found.values())
