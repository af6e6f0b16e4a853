"""Names of types for annotations. As `torch.types`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeAlias

from kadam import missing
from kadam.device import device
from kadam.dtypes import dtype as _dtype  # noqa: F401 (PyTorch has it here)
from kadam.layouts import layout as _layout  # noqa: F401
from kadam.recording.spec import Size
from kadam.tensor import Tensor

Number: TypeAlias = int | float | bool
Device: TypeAlias = device | str | int | None
FileLike: TypeAlias = str | os.PathLike[str] | Any
IntLikeType: TypeAlias = int
FloatLikeType: TypeAlias = float
BoolLikeType: TypeAlias = bool
py_sym_types = (int, float, bool)
_size: TypeAlias = Size | list[int] | tuple[int, ...]
_TensorOrTensors: TypeAlias = Tensor | Sequence[Tensor]
_int, _float, _bool, _complex = int, float, bool, complex

__all__ = ["BoolLikeType", "Device", "FileLike", "FloatLikeType", "IntLikeType", "Number"]

missing.install(__name__)
