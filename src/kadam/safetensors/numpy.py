"""Arrays to files and back. As `safetensors.numpy`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kadam.safetensors.format import Array, Content, written


def save(tensor_dict: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> bytes:
    """Arrays as the content of a file."""
    return written(tensor_dict, metadata)


def save_file(
    tensor_dict: Mapping[str, Array], filename: str | Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays to a file."""
    Path(filename).write_bytes(save(tensor_dict, metadata))


def load(data: bytes) -> dict[str, Array]:
    """The arrays that a file's content holds."""
    content = Content(data)
    return {name: content.array(name) for name in content.names()}


def load_file(filename: str | Path) -> dict[str, Array]:
    """The arrays in a file."""
    return load(Path(filename).read_bytes())
