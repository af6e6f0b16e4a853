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
from kadam.onnx.axes import of_any_size
from kadam.onnx.draft import Draft
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

    The file is of operator set 17, for inputs of exactly these shapes but for the axes named in `dynamic_axes`. What
    their sizes change is found out by recording the model with several sizes; it must not be which operations run.

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
        dynamic_axes: for inputs and outputs by name, axes that may have any size, with the names of the sizes:
            `{"x": {0: "batch"}}`, or `{"x": [0]}`.
        options: accepted, without effect.

    Raises:
        UnsupportedError: the graph depends on values, has no operator of ONNX's, or depends on a size that may vary.
    """
    if options.get("dynamic_shapes"):
        raise UnsupportedError(
            "onnx.export: dynamic_shapes is not supported. Fix: dynamic_axes={'x': {0: 'batch'}}, with "
            "input_names=['x']."
        )
    if f is None:
        raise TypeError("onnx.export: no file is given. Fix: onnx.export(model, args, 'model.onnx').")
    given = args if isinstance(args, tuple) else (args,)
    names, results = input_names or (), output_names or ()

    def draft(values: Sequence[Any], named: dict[str, Any]) -> Draft:
        return drafted(recorded(model, values, named), model, names, results, bool(dynamic_axes))

    content = (
        of_any_size(draft, given, kwargs or {}, dynamic_axes) if dynamic_axes else draft(given, kwargs or {}).content()
    )
    if isinstance(f, str | Path):
        Path(f).write_bytes(content)
    else:
        f.write(content)


def drafted(
    call: Recorded, module: Any, input_names: Sequence[str], output_names: Sequence[str], resizable: bool = False
) -> Draft:
    """A recorded call in ONNX's operators."""
    writer, needed = Writer(resizable), _needed(call)
    own = _names_of_parameters(module)
    draft = Draft(type(module).__name__, writer)
    for place, node in enumerate(call.inputs):
        name = input_names[place] if place < len(input_names) else f"input_{place}"
        writer.names[node.id] = name
        draft.inputs.append((name, node.type))
    for node in call.nodes:
        if node.id not in needed or node.id in writer.names:
            continue
        if node.id in call.feeds:
            writer.names[node.id] = _fed(writer, node, call.feeds[node.id], own)
        else:
            writer.write(node)
    for place, node in enumerate(call.outputs):
        name = output_names[place] if place < len(output_names) else f"output_{place}"
        writer.nodes.append(file.node("Identity", [writer.names[node.id]], [name], f"node_{name}", {}))
        draft.outputs.append((name, node.type))
    return draft


def _fed(writer: Writer, node: Node, feed: Any, own: dict[int, str]) -> str:
    """What stands for a tensor or number from outside: a parameter or a constant; one number everywhere, 0, 1, 2 ..."""
    array = read(feed) if hasattr(feed, "_spec") else np.array(feed, node.dtype.numpy)
    if array.size > 1 and id(feed) not in own and (array == array.flat[0]).all():
        return writer.filled(array.flat[0], array.shape)
    if not array.ndim and id(feed) not in own:
        return writer.number(array)
    if array.ndim == 1 and array.size > 1 and id(feed) not in own and (array == np.arange(array.size)).all():
        return writer.steps(array.size, node.dtype)
    return writer.constant(array, own.get(id(feed)))


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
