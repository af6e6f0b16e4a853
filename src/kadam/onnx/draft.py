"""A graph in ONNX's operators before it becomes a file: sizes are still numbers that can be replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kadam.ir.types import TensorType
from kadam.onnx import model
from kadam.onnx.operators import Writer


@dataclass
class Draft:
    """What a file is made of.

    Attributes:
        writer: its nodes and constants.
        inputs, outputs: their names and types.
    """

    name: str
    writer: Writer
    inputs: list[tuple[str, TensorType]] = field(default_factory=list)
    outputs: list[tuple[str, TensorType]] = field(default_factory=list)

    def content(
        self,
        computed: Sequence[bytes] = (),
        known: frozenset[str] = frozenset(),
        names: Mapping[str, Mapping[int, str]] | None = None,
    ) -> bytes:
        """The file.

        Args:
            computed: nodes that come first.
            known: sizes that those compute; the others are constants.
            names: of the sizes of inputs and outputs that may vary, by axis.
        """
        counts = self.writer.counts.items()
        sizes = [model.tensor(name, np.array(numbers, np.int64)) for name, numbers in counts if name not in known]
        named = names or {}
        ends = [[model.value(name, type, named.get(name)) for name, type in end] for end in (self.inputs, self.outputs)]
        return model.model(self.name, [*computed, *self.writer.nodes], [*self.writer.constants, *sizes], *ends)


__all__ = ["Draft"]
