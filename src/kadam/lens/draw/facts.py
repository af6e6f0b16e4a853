"""What a picture says about values: how large they are, and how large their gradients."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kadam.autodiff import backward
from kadam.errors import KadamError
from kadam.ir.builder import Builder, building, emit
from kadam.ir.graph import Node
from kadam.ir.primitive import Array
from kadam.language import number
from kadam.lens.step import Step
from kadam.primitives.sources import Full

MOST_VALUES = 4  # that are written out


class Facts:
    """The values of a step and their gradients, by node."""

    def __init__(self, step: Step) -> None:
        self.values: Mapping[int, Array] = step.trace.values
        self.gradients = gradients(step)
        self.parameter_gradients = {
            one.value.id: self.values[one.grad.id]
            for one in step.parameters
            if one.grad is not None and one.grad.id in self.values
        }

    def value(self, node: Node) -> Array | None:
        """The node's value; None if it was not kept."""
        return self.values.get(node.id)

    def gradient(self, node: Node) -> Array | None:
        """How the loss changes with the node's value; None if no gradient came there."""
        found = self.parameter_gradients.get(node.id)
        return self.gradients.get(node.id) if found is None else found


def gradients(step: Step) -> dict[int, Array]:
    """How the loss changes with each value that it is computed from, by node id."""
    loss = step.loss
    if loss is None or step.fault is not None or loss.id not in step.active:
        return {}
    builder = Builder(list(step.graph.nodes[: loss.id + 1]))
    inner = [one for one in step.active if one <= loss.id]
    with building(builder):
        seed = emit(Full(1, loss.shape, loss.dtype))
        cts = backward(step.graph.nodes, {loss.id: seed}, step.active, inner)
    known, made = step.trace.values, dict[int, Array]()
    with np.errstate(all="ignore"):
        for node in builder.nodes[loss.id + 1 :]:
            operands = [made[one.id] if one.id > loss.id else known.get(one.id) for one in node.inputs
                        if one.id in made or one.id <= loss.id]  # fmt: skip
            if len(operands) == len(node.inputs) and all(one is not None for one in operands):
                try:
                    made[node.id] = node.primitive.reference(*operands)
                except (KadamError, ArithmeticError, ValueError):
                    continue
    return {one: made[ct.id] for one, ct in cts.items() if ct.id in made}


def size_of(array: Array) -> float:
    """The norm of an array: the root of the sum of its squares."""
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.sum(np.square(np.abs(array.astype(np.float64))))))


def shown(array: Array) -> str:
    """Few values as they are, many by their norm."""
    if array.size <= MOST_VALUES and array.dtype.kind in "fiub":
        inner = ", ".join(number(float(one), 3) for one in array.reshape(-1))
        return inner if array.size == 1 else f"[{inner}]"
    return f"‖{number(size_of(array), 3)}‖" if array.dtype.kind in "fc" else ""


def shape_of(node: Node) -> str:
    """`32 × 64`; nothing for a number."""
    return " × ".join(map(str, node.shape))
