"""Images made larger or smaller: each new element is a weighted mean of old ones near its place."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kadam import dtypes
from kadam.dtypes import FLOAT
from kadam.errors import DTypeError, ShapeError, UnsupportedError
from kadam.ir.builder import current_builder
from kadam.nn.functional.adaptive_pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from kadam.ops.compare import where
from kadam.ops.pointwise import clamp, floor
from kadam.primitives.index import Index
from kadam.primitives.sources import Iota
from kadam.recording.calls import emit, symbol
from kadam.recording.operation import operation
from kadam.shapes import Shape

if TYPE_CHECKING:
    from kadam.dtypes import dtype
    from kadam.tensor import Tensor

Factors = tuple[float | None, ...]
