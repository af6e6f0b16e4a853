"""A module and example inputs as an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from kadam.errors import UnsupportedError
from kadam.ir.graph import Node
from kadam.nn import Module
from kadam.onnx import model as file
from kadam.onnx.operators import Writer
from kadam.onnx.record import Recorded, recorded
from kadam.recording.tensor import read


def export(
    model: Any,
    args: Any = (),
    f: str | Path | BinaryIO | None = None,
    *,
    kwargs: dict[str, Any] | None = None,
    export_params: bool = True,
    verbose: bool | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    opset_version: int | None = None,
    dynamic_axes: Mapping[str, Any] | None = None,
    **options: Any,
) -> None:
    """Write what a module computes of such inputs, in the mode that it is in. As `torch.onnx.export`.

    The file is of operator set 17, for inputs of exactly these shapes.

    Args:
        model: a module or function.
        args: its inputs, a tuple or the only one.
        f: the file or its path.
        kwargs: inputs by name.
        export_params: accepted: the parameters are in the file.
        verbose: accepted, without effect.
        input_names: of the inputs.
        output_names: of the results.
        opset_version: accepted.
        dynamic_axes: accepted, where it asks for nothing.
        options: accepted, without effect.

    Raises:
        UnsupportedError: the graph depends on values, has no operator of ONNX's, or axes would have to be dynamic.
    """
    if dynamic_axes or options.get("dynamic_shapes"):
        raise UnsupportedError(
            "onnx.export: axes of any size are not supported: the file is for inputs of the example's shapes. Fix: "
            "leave dynamic_axes out."
        )
    if f is None:
        raise TypeError("onnx.export: no file is given. Fix: onnx.export(model, args, 'model.onnx').")
    given = args if isinstance(args, tuple) else (args,)
    content = _content(recorded(model, given, kwargs or {}), model, input_names or (), output_names or ())
    if isinstance(f, str | Path):
        Path(f).write_bytes(content)
    else:
        f.write(content)


def _content(call: Recorded, module: Any, input_names: Sequence[str], output_names: Sequence[str]) -> bytes:
    writer, needed = Writer(), _needed(call)
    own = _names_of_parameters(module)
    inputs = []
    for place, node in enumerate(call.inputs):
        name = input_names[place] if place < len(input_names) else f"input_{place}"
        writer.names[node.id] = name
        inputs.append(file.value(name, node.type))
    for node in call.nodes:
        if node.id not in needed or node.id in writer.names:
            continue
        if node.id in call.feeds:
            feed = call.feeds[node.id]
            array = read(feed) if hasattr(feed, "_spec") else np.array(feed, node.dtype.numpy)
            writer.names[node.id] = writer.constant(array, own.get(id(feed)))
        else:
            writer.write(node)
    outputs = []
    for place, node in enumerate(call.outputs):
        name = output_names[place] if place < len(output_names) else f"output_{place}"
        writer.nodes.append(file.node("Identity", [writer.names[node.id]], [name], f"node_{name}", {}))
        outputs.append(file.value(name, node.type))
    return file.model(type(module).__name__, writer.nodes, writer.constants, inputs, outputs)


def _needed(call: Recorded) -> set[int]:
    """The ids of the nodes between inputs and outputs."""
    stops = {node.id for node in call.inputs}
    found: set[int] = set()
    waiting: list[Node] = list(call.outputs)
    while waiting:
        node = waiting.pop()
        if node.id not in found:
            found.add(node.id)
            waiting += [] if node.id in stops else node.inputs
    return found


def _names_of_parameters(module: Any) -> dict[int, str]:
    if not isinstance(module, Module):
        return {}
    members = (*module.named_parameters(), *module.named_buffers())
    return {id(tensor): name for name, tensor in members}
