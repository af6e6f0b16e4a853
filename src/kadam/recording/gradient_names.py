"""What PyTorch names that made a gradient: the last operation of its own formula for the derivative.

Kadam's derivatives are other formulas with the same values, so the name is looked up by the call whose operand the
gradient is of. Gradients from several readers are added up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from kadam.ir.graph import Node
from kadam.recording.reads import operands_of, specs_of
from kadam.recording.trail import Path, TrailNode

_PASSED_ON = ("AddBackward0", "SubBackward0", "CloneBackward0")  # their derivative is the cotangent itself
_BY_CALL = {
    "BinaryCrossEntropyWithLogitsBackward0": "DivBackward1",
    "ExpandBackward0": "SumBackward1",
    "LinalgVectorNormBackward0": "MulBackward0",
    "LogsumexpBackward0": "MulBackward0",
    "MaxBackward1": "MulBackward0",
    "MeanBackward0": "DivBackward0",
    "NllLossBackward0": "NllLossBackwardBackward0",
    "PowBackward0": "MulBackward0",
    "ProdBackward0": "MulBackward0",
    "ReshapeAliasBackward0": "ViewBackward0",
    "SiluBackward0": "MulBackward0",
    "StdBackward0": "MulBackward0",
    "SumBackward0": "ExpandBackward0",
    "SumBackward1": "ExpandBackward0",
    "TBackward0": "TBackward0",
    "UnsafeViewBackward0": "ViewBackward0",
    "VarBackward0": "MulBackward0",
    "ViewBackward0": "ViewBackward0",
} | {
    f"{name}Backward0": f"{derivative}BackwardBackward0"
    for name, derivative in (
        ("Elu", "Elu"), ("Gelu", "Gelu"), ("LeakyRelu", "LeakyRelu"), ("MseLoss", "MseLoss"),
        ("NativeLayerNorm", "NativeLayerNorm"), ("Relu", "Threshold"), ("Select", "Select"), ("Sigmoid", "Sigmoid"),
        ("Slice", "Slice"), ("Softplus", "Softplus"), ("Tanh", "Tanh"), ("Threshold", "Threshold"),
    )
} | {f"{name}Backward0": f"{name}BackwardDataBackward0" for name in ("LogSoftmax", "Softmax")}  # fmt: skip
_BY_OPERATION = {"_cross_entropy": "LogSoftmaxBackwardDataBackward0"}

Reader = tuple[TrailNode, int]


def names_in(path: Path, starts: Collection[int]) -> Callable[[int], str | None]:
    """Of a node, by id, the name of what makes its gradient in a sweep from the nodes `starts`; None if it is unknown.

    Args:
        path: that is swept.
        starts: ids of nodes.
    """
    reached = _reached(path.builder.nodes, starts, path.builder.active)
    readers: dict[int, list[Reader]] = {}
    for call in path.end.line():
        if reached.isdisjoint(node.id for node in call.outputs):
            continue
        for index, position in enumerate(operands_of(call)[1]):
            if position is not None:
                readers.setdefault(path.at(position).id, []).append((call, index))

    def name_of(place: int) -> str | None:
        found = readers.get(place, ())
        if len(found) != 1 or place in starts:
            return "AddBackward0" if found else None
        call, index = found[0]
        spec = specs_of(call)[0]
        node = path.builder.nodes[place]
        if spec.grad_name in _PASSED_ON and spec.shape == node.shape:
            if index and spec.grad_name == "SubBackward0":
                return "NegBackward0"
            return name_of(call.outputs[0].id)
        operation = operands_of(call)[0]
        return _BY_OPERATION.get(operation) or _BY_CALL.get(spec.grad_name or "")

    return name_of


def _reached(nodes: Sequence[Node], starts: Collection[int], active: Collection[int]) -> set[int]:
    """The ids of the nodes through which cotangents of `starts` come."""
    reached = set(starts)
    for node in reversed(nodes):
        if node.id in reached:
            reached.update([source.id for source in node.inputs if source.id in active])
    return reached
