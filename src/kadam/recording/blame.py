"""What an error says besides its own words: the operation as the user called it, and where each operand came from.

An error is raised deep inside Kadam, and knows what disagrees. Whose call it was stands on the stack: the frame next to
the user's code has the name of the operation and its arguments.
"""

from __future__ import annotations

import dis
import inspect
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FrameType
from typing import Any

from kadam import errors
from kadam.engines.reference import RunError
from kadam.errors import KadamError, OperandError
from kadam.ir.graph import Node
from kadam.missing import is_name_of_pytorch
from kadam.recording.arguments import complaint
from kadam.recording.place import PACKAGE, is_ours, module_calls, parameter_name, shown
from kadam.recording.step import state
from kadam.recording.tensor import Recorded, made
from kadam.recording.trail import Path, TrailNode

_STDLIB = (os.path.dirname(os.__file__) + os.sep, "<frozen ")
_OF_USERS = ("site-packages", "dist-packages")
# Rooms whose functions are no operations: what they find wrong is said of the call that led there.
_INNER = ("errors", "shapes", "dtypes", "device", "missing", "primitives", "ir", "engines", "passes", "autodiff")
_WAYS_IN = ("cli", "script", "lens", "language", "studio", "train", "torch_imports", "tracebacks", "__main__")
_NAMED = re.compile(r"(\w[\w.]*?)(\(\))?(?:\[\w+\])? ?: ")
_SPOKEN = {
    "getitem": "indexing", "setitem": "indexed assignment", "__getitem__": "indexing", "equal_operator": "eq",
    "unequal_operator": "ne",
}  # fmt: skip
_MOST = 8  # operands that are shown
_ANY_ARGUMENTS = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


def explain(error: KadamError) -> None:
    """Let an error that has just been raised name its operation, and say where the operands came from."""
    message = error.args[0]
    call = _call(sys._getframe(2)) if isinstance(message, str) else None
    if call is None:
        return
    name, frame, of_layer = call
    said, mark, fix = message.rpartition(" Fix: ")
    said = (said or fix).rstrip()
    if isinstance(error, OperandError) and not of_layer and not _says(name, said):
        own = _complaint(name, frame)
        if own is not None:
            said, mark, fix = own.rpartition(" Fix: ")
    said = _with_name(name, said, of_layer)
    lines = _operands(frame) if "\n" not in said else []
    if not lines:
        error.args = (f"{said} Fix: {fix}" if mark else said, *error.args[1:])
        return
    if mark:
        lines.append(f"  Fix: {fix}")
    error.args = ("\n".join([said, *lines]), *error.args[1:])


def _says(name: str, said: str) -> bool:
    """Whether the words begin with the operation's name."""
    last = name.rpartition(".")[2]
    return re.match(rf"(?:{re.escape(name)}|(?:torch\.)?{re.escape(last)})(?!\w)", said) is not None


def _complaint(name: str, frame: FrameType) -> str | None:
    """What is wrong with the user's own arguments, where an inner function has complained of what it got."""
    given = list(_arguments(frame))
    is_method = given[:1] and given[0][0] in ("self", "cls")
    found = complaint(name, _annotations(frame), given[1:] if is_method else given)
    return None if found is None else found[1]


def _annotations(frame: FrameType) -> dict[str, Any]:
    code = frame.f_code
    owner = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    found = frame.f_locals.get("function") if _wrapped(frame)[1] is not code else frame.f_globals.get(code.co_name)
    for kind in type(owner).__mro__:
        method = vars(kind).get(code.co_name)
        if getattr(method, "__code__", None) is code:
            found = method
    return getattr(found, "__annotations__", {})


def _with_name(name: str, said: str, of_layer: bool = False) -> str:
    """The words with the operation's name before them, in place of a name that is not what the user has called.

    Args:
        name: of the call.
        said: the words.
        of_layer: whether the user has called a layer: then it is of interest which operation in it fails.
    """
    if said.startswith("Error(s) in ") or _says(name, said):
        return said
    found = _NAMED.match(said)
    if found is None:
        return f"{name}: {said}"
    keeps = of_layer or "." in name or found[1][0].isupper()  # what fails in a layer, or a layer in another
    if "." in found[1] or (keeps and is_name_of_pytorch(found[1])):
        return said
    called = found[2] if found[2] and not name[0].isupper() else ""
    return f"{name}{called}: {said[found.end() :]}"


def placed(failure: RunError, here: TrailNode) -> BaseException:
    """The error of a primitive that refused its data, with the operation, its operands and the line that recorded it.

    Args:
        failure: of the run.
        here: where the recording ended.
    """
    node, cause = failure.node, failure.__cause__
    if cause is None:
        return failure
    said, mark, fix = str(cause.args[0] if cause.args else cause).rpartition(" Fix: ")
    said = (said or fix).rstrip()
    if isinstance(cause, KadamError) and "\n" not in said:
        call = _call_of(node, here)
        said = said if call is None else _with_name(_public(call[0].name, call[0].grad_name), said)
        labels = ["value"] * len(node.inputs) if call is None else _labels(node, _operands_of(*call, Path(here)))
        lines = [
            f"  {label:<10} {one.type!s:<16} {_of_node(one).partition(' ')[2]}"
            for label, one in list(zip(labels, node.inputs, strict=True))[:_MOST]
        ]
        said = "\n".join([said, *lines])
    place = f"  recorded at {node.source or 'an unknown line'}" + (f" in {node.scope}" if node.scope else "")
    cause.args = ("\n".join([said, place, *([f"  Fix: {fix}"] if mark else [])]), *cause.args[1:])
    return cause


def _call_of(node: Node, here: TrailNode) -> tuple[Any, tuple[Any, ...], TrailNode] | None:
    """What emitted a node (which passes may have numbered anew): the operation, its operands' positions, the call."""
    for call in here.line():
        if any(one.source == node.source and one.primitive == node.primitive for one in call.nodes):
            operation, *positions = call.key
            if hasattr(operation, "grad_name"):
                return operation, tuple(positions), call
    return None


def _operands_of(operation: Any, positions: tuple[Any, ...], call: TrailNode, path: Path) -> list[tuple[str, Node]]:
    """The names of a call's operands, and the nodes that they are; those that the call met first are its inputs."""
    met = iter(call.inputs)
    found: list[tuple[str, Node]] = []
    for name, role, given in zip(operation.names, operation.roles, positions, strict=False):
        if role in ("static", "fixed", "raw"):
            continue
        several = isinstance(given, tuple)
        for index, position in enumerate(given if several else (given,)):
            node = path.at(position) if type(position) is int else None if position is None else next(met, None)
            if node is not None:
                found.append((f"{name}[{index}]" if several else name, node))
    return found


def _labels(node: Node, operands: list[tuple[str, Node]]) -> list[str]:
    """The names of the operands that a node's inputs are; where an input is none of them, or any of two, a value."""
    labels = []
    for place, one in enumerate(node.inputs):
        names = [name for name, operand in operands if _alike(operand, one)]
        peers = [index for index, other in enumerate(node.inputs) if _alike(other, one)]
        labels.append(names[peers.index(place)] if len(names) == len(peers) else "value")
    return labels


def _alike(a: Node, b: Node) -> bool:
    return a.primitive == b.primitive and a.type == b.type and a.source == b.source


def _public(name: str, grad_name: str) -> str:
    """PyTorch's name of an operation that has another one in Kadam: its derivative's name tells it."""
    derived = re.sub(r"(?<!^)(?=[A-Z])", "_", re.sub(r"Backward\d*$", "", grad_name)).lower()
    return derived if not is_name_of_pytorch(name) and is_name_of_pytorch(derived) else name.strip("_")


# --- the call ---------------------------------------------------------------------------------------------------------


def _call(frame: FrameType | None) -> tuple[str, FrameType, bool] | None:
    """The name of what the user called, the frame that has its arguments, whether the call was in a layer.

    None while a program runs.
    """
    ours: list[FrameType] = []
    while frame is not None:
        file = frame.f_code.co_filename
        if is_ours(file):
            if _room(file) == "engines":
                return None
            if frame.f_code.co_name != "_first_call":
                ours.append(frame)
        elif not file.startswith(_STDLIB) or any(part in file for part in _OF_USERS):
            break
        frame = frame.f_back
    if frame is None or not ours or _room(ours[-1].f_code.co_filename) in (*_WAYS_IN, *_INNER):
        return None
    outermost = _past_modules(ours[::-1])
    name = _name(outermost, *_wrapped(outermost))
    return None if name.startswith("_") else (name, outermost, id(ours[-1].f_code) in module_calls)


def _wrapped(frame: FrameType) -> tuple[str, CodeType]:
    """The name and code of the function that a frame is of, or that it wraps and gives all its arguments."""
    code = frame.f_code
    function: Any = frame.f_locals.get("function")
    if code.co_argcount == 0 and code.co_flags & _ANY_ARGUMENTS == _ANY_ARGUMENTS and hasattr(function, "__code__"):
        return function.__name__, function.__code__
    return code.co_name, code


def _past_modules(frames: list[FrameType]) -> FrameType:
    """Of the frames from the user's call inwards, the first operation; the layer's `forward` if there is none."""
    if id(frames[0].f_code) not in module_calls:
        return frames[0]
    layer = frames[0]
    for frame in frames:
        file = frame.f_code.co_filename
        if frame.f_code.co_name == "forward":
            layer = frame
        elif not _is_layer(file) and _room(file) not in _INNER and not file.endswith(("require.py", "promotion.py")):
            return frame
    return layer


def _room(file: str) -> str:
    return file[len(PACKAGE) :].split(os.sep)[0].removesuffix(".py") if file.startswith(PACKAGE) else ""


def _is_layer(file: str) -> bool:
    return file.startswith(os.path.join(PACKAGE, "nn", "modules"))


def _name(frame: FrameType, name: str, code: CodeType) -> str:
    owner = next(_arguments(frame), ("", None))[1] if code.co_argcount else None
    is_method = code.co_varnames[:1] in (("self",), ("cls",)) and not isinstance(owner, Recorded)
    if is_method and owner is not made.cls:
        kind = (owner if isinstance(owner, type) else type(owner)).__name__
        return kind if name.startswith("__") or name == "forward" else f"{kind}.{name}"
    if name in _SPOKEN:
        return _SPOKEN[name]
    if name.startswith("__"):
        return "Tensor" if name == "__new__" else name.strip("_")
    if is_name_of_pytorch(name):
        return name
    operation: Any = frame.f_globals.get("op")  # of a generated caller
    return _alias(code) or (_public(name, operation.grad_name) if hasattr(operation, "grad_name") else name.lstrip("_"))


def _alias(code: CodeType) -> str | None:
    """PyTorch's name of a function that has another one in Kadam."""
    for owner in (made.cls, sys.modules.get("kadam"), sys.modules.get("kadam.nn.functional")):
        for name, value in vars(owner).items():
            if getattr(value, "__code__", None) is code and is_name_of_pytorch(name):
                return name
    return None


# --- the operands -----------------------------------------------------------------------------------------------------


def _operands(frame: FrameType) -> list[str]:
    found = [
        (label, one)
        for name, value in _arguments(frame)
        for label, one in ([(name, value)] if isinstance(value, Recorded) else _labelled(name, value))
        if isinstance(one, Recorded) and one._node is None
    ]
    lines = [f"  {label:<10} {one._spec.type!s:<16} {_origin(one, frame)}" for label, one in found[:_MOST]]
    return lines if len(found) <= _MOST else [*lines, f"  ... and {len(found) - _MOST} more"]


def _arguments(frame: FrameType) -> Iterator[tuple[str, Any]]:
    code = frame.f_code
    _, own = _wrapped(frame)
    if own is not code:
        args, taken = frame.f_locals.get("args", ()), own.co_argcount
        yield from zip(own.co_varnames[:taken], args, strict=False)
        if own.co_flags & inspect.CO_VARARGS:
            starred = own.co_varnames[taken + own.co_kwonlyargcount]
            yield from ((f"{starred}[{index}]", one) for index, one in enumerate(args[taken:]))
        yield from frame.f_locals.get("kwargs", {}).items()
        return
    count = code.co_argcount + code.co_kwonlyargcount
    for name in code.co_varnames[:count]:
        yield name, frame.f_locals.get(name)
    if code.co_flags & inspect.CO_VARARGS:
        rest = frame.f_locals.get(code.co_varnames[count], ())
        operation = getattr(frame.f_locals.get("function"), "operation", None)  # of an in-place form
        labels = [f"{code.co_varnames[count]}[{index}]" for index in range(len(rest))]
        yield from zip(operation.names[1:] if operation is not None else labels, rest, strict=False)


def _labelled(name: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, list | tuple):
        return [(f"{name}[{index}]", one) for index, one in enumerate(value)]
    return ()


def _origin(tensor: Recorded, frame: FrameType) -> str:
    """What made a tensor and where: `%12 forward encoder.flatten train.py:41`; or what it is to the user's code."""
    rec = state.rec or state.inside
    if tensor._rec is rec and tensor._pos >= 0:
        path = rec.path if rec.path is not None and rec.path.end is rec.here else Path(rec.here)
        if tensor._pos < len(path.created):
            return _of_node(path.created[tensor._pos])
    if tensor._history is not None:
        return _of_node(tensor._history.current_path().builder.nodes[tensor._place])
    named = parameter_name(tensor)
    if named is not None:
        return f"state {named}"
    kind = "state" if tensor._spec.requires_grad else "input"
    return " ".join(part for part in (kind, *_known_as(tensor, frame)) if part)


def _of_node(node: Any) -> str:
    return " ".join(str(part) for part in (node, node.phase.value, node.scope, node.source) if part)


def _known_as(tensor: Recorded, frame: FrameType | None) -> tuple[str, str]:
    """The name by which the user's code knows a tensor, and the line where it got it; where there is none, the line."""
    name = place = ""
    while frame is not None:
        code = frame.f_code
        if not is_ours(code.co_filename):
            place = place or f"{shown(code.co_filename)}:{frame.f_lineno}"
            found = _variable(tensor, frame)
            if found is not None:
                name = name or found
                line = _bound_at(frame, re.split(r"\W", found)[0])
                if line is not None:
                    return name, f"{shown(code.co_filename)}:{line}"
            elif code.co_filename.startswith(_STDLIB):
                break
        frame = frame.f_back
    return name, place


def _variable(tensor: Recorded, frame: FrameType) -> str | None:
    """What a frame calls a tensor: a variable, or an element or attribute of one."""
    scopes: list[Mapping[str, Any]] = [frame.f_locals]
    if frame.f_locals is not frame.f_globals:
        scopes.append({name: frame.f_globals[name] for name in frame.f_code.co_names if name in frame.f_globals})
    for known in scopes:
        for name, value in known.items():
            if value is tensor:
                return name
    for known in scopes:
        for name, value in known.items():
            if not name.startswith("__"):
                for part, one in _parts(value):
                    if one is tensor:
                        return name + part
    return None


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list | tuple):
        yield from ((f"[{index}]", one) for index, one in enumerate(value[:100]))
    elif isinstance(value, dict):
        # The text of a tensor among the keys would ask for its values, in the middle of what has just failed.
        yield from ((f"[{key!r}]", one) for key, one in list(value.items())[:100] if isinstance(key, str | int))
    elif hasattr(value, "named_parameters") and not isinstance(value, type):
        yield from ((f".{name}", one) for name, one in value.named_parameters())
    elif hasattr(value, "__dict__") and not isinstance(value, type | Recorded):
        yield from ((f".{name}", one) for name, one in list(vars(value).items())[:100])


def _bound_at(frame: FrameType, name: str) -> int | None:
    """The line that gave a variable its present value; None for an argument."""
    stores = [
        (one.offset, one.positions.lineno)
        for one in dis.get_instructions(frame.f_code)
        if one.opname.startswith("STORE_") and one.argval == name and one.positions is not None
    ]
    before = [line for offset, line in stores if offset < frame.f_lasti] or [line for _, line in stores]
    return before[-1] if before else None


def install() -> None:
    """Have every error explained from now on."""
    errors.explanations[:] = [explain]
