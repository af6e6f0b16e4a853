"""Single tensors of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from kadam.recording.tensor import from_array
from kadam.safetensors.format import Content


class safe_open:  # noqa: N801  (the package's name)
    """A file of tensors, of which single ones are read.

    Args:
        filename: its path.
        framework: "pt" for tensors, "np" for arrays.
        device: the CPU.
    """

    def __init__(self, filename: str | Path, framework: str = "pt", device: Any = "cpu") -> None:
        self._content = Content(Path(filename).read_bytes())
        self._as_array = framework in ("np", "numpy")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def keys(self) -> list[str]:
        """The names."""
        return self._content.names()

    offset_keys = keys

    def metadata(self) -> dict[str, str] | None:
        """Texts that the writer gave."""
        return self._content.metadata

    def get_tensor(self, name: str) -> Any:
        """The tensor of a name."""
        array = self._content.array(name)
        return array if self._as_array else from_array(array)

    def get_slice(self, name: str) -> Any:
        """The tensor of a name, to be indexed."""
        return self.get_tensor(name)
