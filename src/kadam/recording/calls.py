"""A call that the trail does not know yet: the body runs on symbols, and what came of it is remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import get_ident
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam import dtypes
from kadam.errors import KadamError, OperandError, RecordingError, ShapeError
from kadam.hot import hot
from kadam.ir.builder import Builder, building, current_builder
from kadam.ir.graph import Node, Phase
from kadam.ir.primitive import Primitive, View
from kadam.ir.types import TensorType
from kadam.primitives.elementwise import Cast
from kadam.primitives.sources import Input
from kadam.recording import attempts, inference, template
from kadam.recording.arguments import check_arguments
from kadam.recording.herd import Herd
from kadam.recording.operand import OnMetaError
from kadam.recording.order import note_orders, orders_of
from kadam.recording.pause import uncollected
from kadam.recording.place import in_operator, where
from kadam.recording.spec import Spec, spec_of
from kadam.recording.step import LONGEST, Recording, cut, lead, start, state
from kadam.recording.tensor import Recorded, blank, made, read, sees
from kadam.recording.trail import Path, TrailNode

if TYPE_CHECKING:
    from kadam.recording.operation import Operation
    from kadam.tensor import Tensor

PLAIN = frozenset({int, bool, str, float, type(None), dtypes.dtype})  # what stands in a key as it is
_NUMBER_TYPES = {float: dtypes.float64, int: dtypes.int64, bool: dtypes.bool_, complex: dtypes.complex128}


def freeze(value: Any) -> Any:
    """A static argument as something that can stand in a key."""
    if isinstance(value, list | tuple):
        for one in value:
            if one.__class__ not in PLAIN:
                return tuple([freeze(one) for one in value])
        return tuple(value)
    if isinstance(value, slice):
        return ("slice", freeze(value.start), freeze(value.stop), freeze(value.step))
    if isinstance(value, Recorded):
        return _number_in(value)
    if isinstance(value, np.generic):
        return value.item()
    return value


def _number_in(tensor: Recorded) -> Any:
    if tensor._spec.type.elements != 1:
        raise ShapeError(
            f"a Tensor of shape {list(tensor._spec.shape)} cannot be converted to a number. Fix: give a 0-dim tensor."
        )
    known = tensor._array if state.rec is None else None  # in a body: it was read when the key was made
    return (read(tensor) if known is None else known).item()


def structure(value: Any) -> Any:
    """A static argument as a body sees it."""
    if isinstance(value, list | tuple):
        return tuple(structure(one) for one in value)
    if value.__class__ is type:
        return dtypes.PYTHON_TYPES.get(value, value)
    return freeze(value) if isinstance(value, Recorded | np.generic) else value


@hot
def ends(rec: Recording, operands: Sequence[Any], differentiable: bool) -> bool:
    """Cut a recording that has updated state where the next step begins, before operands are admitted to it in vain.

    That is where an operand is such state, or any tensor that gradients flow to, if they would flow through the call:
    were the beginning of a step recorded with the end of the one before, each step would be another path, for ever.
    """
    flow = differentiable and state.grad
    for operand in operands:
        for one in operand if isinstance(operand, list | tuple) else (operand,):
            if isinstance(one, Recorded) and (one._rec is rec.anchor or (flow and one._spec.requires_grad)):
                cut(rec)
                return True
    return False


def end_step(rec: Recording) -> None:
    """The step is over: cut the recording, unless that has been done already."""
    if state.rec is rec:
        if rec.open:
            rec.roll_back()
            cut(rec)
        else:
            start()  # it was cut from another thread


def emit(primitive: Primitive, *operands: Tensor) -> Tensor:
    """In a body: apply a primitive to symbols."""
    return symbol(current_builder().emit(primitive, *[node_of(operand) for operand in operands]))


def node_of(operand: Recorded) -> Node:
    """In a body: the node that a symbol stands for.

    Raises:
        RecordingError: it is no symbol, but a tensor from outside.
    """
    if operand._node is None:
        raise RecordingError("a tensor from outside stands in the body of an operation: make it a parameter")
    return operand._node


def symbol(node: Node, weak: bool = False) -> Tensor:
    """In a body: the tensor that stands for a node. `weak`: a Python number."""
    active = node.id in current_builder().active
    tensor = blank(made.cls, spec_of(node.type, active, "symbol" if active else None, weak))
    tensor._node = node
    return tensor  # type: ignore[return-value]


def inner(op: Operation, arguments: tuple[Any, ...]) -> Any:
    """A call inside a body: its nodes become part of the outer call."""
    builder = current_builder()
    noted = builder.phase, builder.tracking, state.numbers
    if op.phase is not None:
        builder.phase = op.phase
    builder.tracking = builder.tracking and op.differentiable
    operands = [one for one in arguments if isinstance(one, Recorded | list | tuple)]
    state.numbers = bool(operands) and all(isinstance(one, Recorded) and one._spec.weak for one in operands)
    try:
        result = op.run_body(arguments)
        if state.numbers and isinstance(result, Recorded):
            result._spec = spec_of(result._spec.type, weak=True)  # such as 1 - momentum: still a number
    finally:
        builder.phase, builder.tracking, state.numbers = noted
    _tag(op, result, arguments)
    return result


def _tag(op: Operation, result: Any, arguments: Iterable[Any]) -> None:
    given = {id(argument) for argument in arguments}
    for tensor in _parts(result):
        if tensor is not None and id(tensor) not in given and (tensor._tag is None or op.forces_name):
            tensor._tag = op.grad_name


def _parts(result: Any) -> Iterable[Any]:
    if isinstance(result, Recorded):
        return (result,)
    return result.values() if isinstance(result, dict) else result


def refuse(op: Operation, rec: Recording, arguments: tuple[Any, ...], error: Exception) -> Any:
    """A call whose arguments make no key: say which one, as PyTorch does."""
    rec.roll_back()
    if isinstance(error, OnMetaError):
        from kadam.recording import meta

        return meta.called(op, arguments)
    found = answered(op.name.strip("_"), arguments)
    if found is not NotImplemented:
        return found
    if any(map(_answers_operators, arguments)) and in_operator():
        return NotImplemented
    check_call(op, arguments)
    if isinstance(error, KadamError | TypeError):
        raise error
    raise OperandError(f"{op.name.strip('_')}(): {error}. Fix: look at the types of its arguments.") from None


def answered(name: str, arguments: Iterable[Any]) -> Any:
    """What an operand that is no dense tensor answers to a call of a function of these; NotImplemented if none does."""
    arguments = tuple(arguments)
    for one in arguments:
        part = one[0] if isinstance(one, list | tuple) and one else one
        if (answer := getattr(type(part), "answer_call", None)) is not None:
            return answer(name, arguments)
    return NotImplemented


def _answers_operators(value: Any) -> bool:
    """Whether an operand's own class computes `tensor + operand`.

    NumPy does so with arrays, and `Tensor.__array_wrap__` makes a tensor of it.
    """
    return isinstance(value, np.ndarray) or getattr(type(value), "answers_operators", False)


def check_call(op: Operation, arguments: tuple[Any, ...]) -> None:
    """Raise where an argument is not of the kind that its annotation says.

    Raises:
        OperandError: one is not.
    """
    declared = op.chain_of or op.body
    check_arguments(op.name.strip("_"), declared.__annotations__, zip(op.names, arguments, strict=True))


def first_sight(op: Operation, rec: Recording, key: Any, arguments: tuple[Any, ...]) -> Any:
    """Run the body on symbols, add a trail node, and return what the call returns."""
    if not rec.open or rec.here.depth >= LONGEST:
        end_step(rec)
        return op.caller(**dict(zip(op.names, arguments, strict=True)))
    rec.runner = get_ident()
    try:
        node = extend(rec, op, key, arguments)
    finally:
        rec.runner = 0
    if op.chain_of is not None:
        _remember_view(node, arguments[0])
    else:
        attempts.watch(node)
    lead(rec, key, node)
    assert node.assemble is not None
    return node.assemble(rec, node, arguments)


def extend(rec: Recording, op: Operation, key: Any, arguments: tuple[Any, ...]) -> TrailNode:
    """The trail node after one more call: emits the nodes of the feeds that it admitted and of its body."""
    path = rec.current_path()
    builder = path.builder
    have, have_feeds, before, freed = len(builder.nodes), len(path.feeds), set(builder.active), set(path.freed)
    builder.scope, builder.source = where()
    builder.phase, builder.origin, builder.adopt = op.phase or Phase.FORWARD, None, None
    try:
        path.feeds.extend([_fed(builder, feed) for feed in rec.feeds[have_feeds:]])
        builder.tracking = state.grad and op.differentiable and inference.takes_part(op, arguments)
        node = TrailNode(rec.here)
        operands = _operands(rec, op, arguments, path)
        lying, tracking, active = orders_of(arguments), builder.tracking, builder.active
        kind = template.kind_of(op, key, arguments, operands, state.lower, lying, tracking, active)
        known = template.recalled(kind)
        if known is not None:
            template.emit(known, node, operands, builder)
        else:
            start = len(builder.nodes)
            _run_body(node, rec, op, arguments, path)
            note_orders(node, op, arguments, [one.primitive for one in builder.nodes[start:]])
            if op.anywhere:
                template.keep(kind, node, start, operands, builder)
        inference.check(path, have, node, op, arguments)
    except BaseException:
        del builder.nodes[have:], path.feeds[have_feeds:]
        builder.active, path.freed = before, freed
        state.rec = rec
        rec.roll_back()
        raise
    finally:
        state.rec = rec
    node.nodes = tuple(builder.nodes[have:])
    inference.mark(node)
    node.inputs = tuple(path.feeds[have_feeds:])
    node.active = frozenset(builder.active - before)
    node.freed = frozenset(path.freed - freed)
    if op.state:
        _remember_update(node, op, arguments, path)
    node.feeds += len(node.inputs)
    node.derived = node.derived or any(_is_derived(feed) for feed in rec.feeds[have_feeds:])
    node.created += len(node.outputs)
    path.created.extend(node.outputs)
    path.end = node
    return node


def _run_body(node: TrailNode, rec: Recording, op: Operation, arguments: tuple[Any, ...], path: Path) -> None:
    """Let an operation's body emit its nodes, and note on the trail what the call returns."""
    check_call(op, arguments)
    state.rec, state.inside = None, rec
    with uncollected(), building(path.builder):
        symbols = _symbols(rec, op, arguments, path)
        result = op.run_body(symbols)
        if op.state:
            result = [_cast(value, target) for value, target in zip(result, _state_of(op, symbols), strict=True)]
        _tag(op, result, symbols)
    _remember(node, result, symbols)


def _operands(rec: Recording, op: Operation, arguments: Sequence[Any], path: Path) -> list[Node]:
    """The nodes of the operands and the runtime numbers of a call."""
    for argument in arguments:
        if argument.__class__ is Herd:
            argument.settle()
    return template.operand_nodes(op, arguments, path.at, _numbers(rec, path))


def _numbers(rec: Recording, path: Path) -> Iterator[Node]:
    """The nodes of the Python numbers that a call has admitted."""
    new_feeds = zip(rec.feeds[rec.here.feeds :], path.feeds[rec.here.feeds :], strict=True)
    return iter([node for feed, node in new_feeds if not isinstance(feed, Recorded)])


def _fed(builder: Builder, feed: Any) -> Node:
    builder.tracking = True
    if not isinstance(feed, Recorded):
        return builder.emit(Input(TensorType(_NUMBER_TYPES[type(feed)], ())))
    node = builder.emit(Input(feed._spec.type))
    if feed._spec.requires_grad:
        builder.active.add(node.id)
    return node


def _state_of(op: Operation, arguments: Sequence[Any]) -> list[Any]:
    """The tensors that a call updates."""
    return [tensor for index in op.state for tensor in arguments[index]]


def _cast(value: Tensor, target: Tensor) -> Tensor:
    return value if value.dtype is target.dtype else emit(Cast(target.dtype), value)


def _remember_update(node: TrailNode, op: Operation, arguments: Sequence[Any], path: Path) -> None:
    from kadam.recording.memory import update

    own = frozenset(one.id for one in node.nodes)
    node.overwritten = {path.at(target._pos).id: own for target in _state_of(op, arguments)}
    path.overwritten.update(node.overwritten)
    node.info, node.plain, node.assemble = op.state, False, update


def _is_derived(feed: Any) -> bool:
    return isinstance(feed, Recorded) and feed._spec.requires_grad and feed._spec.grad_name is not None


def _symbols(rec: Recording, op: Operation, arguments: tuple[Any, ...], path: Path) -> list[Any]:
    """The arguments as the body sees them: symbols for operands and runtime numbers, structure as it is."""
    numbers = _numbers(rec, path)

    def of(value: Any) -> Any:
        if value is None:
            return None
        return symbol(path.at(value._pos)) if isinstance(value, Recorded) else symbol(next(numbers), weak=True)

    symbols: list[Any] = []
    for name, role, value in zip(op.names, op.roles, arguments, strict=True):
        if role in ("list", "list_optional", "state"):
            symbols.append([of(one) for one in value])
        elif role in ("static", "fixed"):
            symbols.append(structure(value))
        elif role == "raw" or (role == "number" and name in op.defaults and value is op.defaults[name]):
            symbols.append(value)
        else:
            symbols.append(of(value))
    return symbols


def _remember(node: TrailNode, result: Any, symbols: Sequence[Any]) -> None:
    """Note on the trail what a call returns: new tensors, operands as they are, or a structure of these."""
    outputs: list[Node] = []
    specs: list[Spec] = []
    recipe: list[int | None] = []  # per part: -1 a new tensor, the index of an operand, or None
    for part in _parts(result):
        operand = next((index for index, one in enumerate(symbols) if one is part), None)
        recipe.append(None if part is None else -1 if operand is None else operand)
        if part is not None and operand is None:
            active = part._spec.requires_grad
            outputs.append(part._node)
            specs.append(spec_of(part._node.type, active, part._tag if active else None))
    node.outputs, node.specs = tuple(outputs), tuple(specs)
    if isinstance(result, Recorded):
        node.plain = recipe == [-1]
        node.spec = specs[0] if specs else None
        node.assemble = _assemble_one if node.plain else _operand_at(recipe[0])
    elif isinstance(result, dict):
        node.assemble = _assembler(lambda *parts, names=tuple(result): dict(zip(names, parts, strict=True)), recipe)
    else:
        node.assemble = _assembler(type(result), recipe)


@hot
def create(rec: Recording, spec: Spec) -> Recorded:
    """The next tensor of a recording."""
    tensor = blank(made.cls, spec)
    tensor._rec = rec
    tensor._pos = len(rec.created)
    rec.created.append(tensor)
    return tensor


def _assemble_one(rec: Recording, node: TrailNode, arguments: tuple[Any, ...]) -> Any:
    assert node.spec is not None
    return create(rec, node.spec)


def _operand_at(index: int | None) -> Callable[..., Any]:
    return lambda rec, node, arguments: arguments[index]


def _assembler(kind: Callable[..., Any], recipe: list[int | None]) -> Callable[..., Any]:
    def assemble(rec: Recording, node: TrailNode, arguments: tuple[Any, ...]) -> Any:
        specs = iter(node.specs)
        parts = [
            None if index is None else create(rec, next(specs)) if index < 0 else arguments[index] for index in recipe
        ]
        return kind(parts) if kind is list or kind is tuple else kind(*parts)

    return assemble


def _remember_view(node: TrailNode, seen: Recorded) -> None:
    chain = tuple(one.primitive for one in node.nodes if not isinstance(one.primitive, Input))
    if chain and all(isinstance(primitive, View) for primitive in chain):
        node.info, node.plain, node.assemble, node.viewing = chain, False, _assemble_view, True
        node.spec = node.specs[0].made_in(seen._spec.inference)


def _assemble_view(rec: Recording, node: TrailNode, arguments: tuple[Any, ...]) -> Any:
    tensor = create(rec, node.spec)  # type: ignore[arg-type]
    sees(tensor, arguments[0], node.info)
    return tensor
