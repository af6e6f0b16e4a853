"""Calls that were seen elsewhere on the trail: what their bodies emitted is emitted again, without running them.

What a body emits depends on its structure and on its operands' types alone. So the nodes of a call are the template of
every call of its kind, wherever it stands: an optimizer's step after a forward pass over another length, a cell at the
next moment of a sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kadam.ir.builder import Builder
from kadam.ir.graph import Node, Phase, Source
from kadam.ir.primitive import Primitive
from kadam.ir.types import TensorType
from kadam.recording.spec import Spec
from kadam.recording.trail import TrailNode

if TYPE_CHECKING:
    from kadam.recording.operation import Operation

MOST = 50_000  # nodes in all templates, some 40 MB


class Made(NamedTuple):
    """A node of a template. Inputs are counted: from 0 the template's own nodes, -1, -2 ... the operands.

    Attributes:
        apart: scope and source of a node that does not take those of the call.
    """

    primitive: Primitive
    inputs: tuple[int, ...]
    type: TensorType
    active: bool
    phase: Phase
    origin: int | None
    apart: tuple[str, Source | None] | None


class Template(NamedTuple):
    """What a call's body emitted, and what came of it."""

    made: list[Made]
    outputs: tuple[int, ...]
    specs: tuple[Spec, ...]
    spec: Spec | None
    plain: bool
    assemble: Callable[..., Any] | None


_known: dict[Hashable, Template] = {}
_size = [0]


def kind_of(op: Operation, key: Sequence[Any], arguments: Sequence[Any], operands: Sequence[Node], *more: Any) -> Any:
    """Equal for calls whose bodies emit the same.

    Args:
        key: of the call: its part for each argument stands after the operation.
        operands: the nodes of all operands and runtime numbers, in order.
        more: what else the bodies depend on; the ids of the nodes through which gradients flow come last.
    """
    *rest, active = more
    parts: list[Any] = [op, *rest]
    for role, part, value in zip(op.roles, key[1:], arguments, strict=True):
        if role in ("static", "fixed", "raw"):
            parts.append(part)
        elif role.startswith("list") or role == "state":
            parts.append(tuple([one is None for one in value]))
        else:
            parts.append(None if part is None else part if part.__class__ is type else Node)
    first: dict[int, int] = {}
    for node in operands:
        parts.append((first.setdefault(node.id, len(first)), node.type, node.id in active))
    return tuple(parts)


def recalled(kind: Hashable) -> Template | None:
    """The template of calls of this kind."""
    return _known.get(kind)


def keep(kind: Hashable, node: TrailNode, have: int, operands: Sequence[Node], builder: Builder) -> None:
    """Let the nodes that a call has emitted from the id `have` on be the template of its kind."""
    place = {one.id: ~index for index, one in reversed(list(enumerate(operands)))}
    try:
        made = [_made(one, place, have, builder) for one in builder.nodes[have:]]
        outputs = tuple([_place(one.id, place, have) for one in node.outputs])
    except KeyError:  # it depends on more than its operands
        return
    _size[0] += len(made)
    if _size[0] > MOST:
        _known.clear()
        _size[0] = len(made)
    _known[kind] = Template(made, outputs, node.specs, node.spec, node.plain, node.assemble)


def _made(node: Node, place: dict[int, int], have: int, builder: Builder) -> Made:
    inputs = tuple([_place(source.id, place, have) for source in node.inputs])
    apart = None if node.source is builder.source and node.scope == builder.scope else (node.scope, node.source)
    active = node.id in builder.active
    return Made(node.primitive, inputs, node.type, active, node.phase, node.origin, apart)


def _place(id: int, place: dict[int, int], have: int) -> int:
    return id - have if id >= have else place[id]


def emit(template: Template, node: TrailNode, operands: Sequence[Node], builder: Builder) -> None:
    """Append a template's nodes to the graph, and tell `node` what came of them."""
    nodes, active = builder.nodes, builder.active
    have, scope, source = len(nodes), builder.scope, builder.source
    for one in template.made:
        inputs = tuple([nodes[have + at] if at >= 0 else operands[~at] for at in one.inputs])
        number = len(nodes)
        where = (scope, source) if one.apart is None else one.apart
        nodes.append(Node(number, one.primitive, inputs, one.type, one.phase, *where, one.origin))
        if one.active:
            active.add(number)
    node.outputs = tuple([nodes[have + at] if at >= 0 else operands[~at] for at in template.outputs])
    node.specs, node.spec = template.specs, template.spec
    node.plain, node.assemble = template.plain, template.assemble


def operand_nodes(
    op: Operation, arguments: Sequence[Any], at: Callable[[int], Node], numbers: Iterator[Node]
) -> list[Node]:
    """The nodes of a call's operands and runtime numbers, in order."""
    found: list[Node] = []
    for name, role, value in zip(op.names, op.roles, arguments, strict=True):
        if role in ("static", "fixed", "raw") or value is None:
            continue
        if role.startswith("list") or role == "state":
            found += [at(one._pos) for one in value if one is not None]
        elif hasattr(value, "_pos"):
            found.append(at(value._pos))
        elif not (role == "number" and name in op.defaults and value is op.defaults[name]):
            found.append(next(numbers))
    return found
