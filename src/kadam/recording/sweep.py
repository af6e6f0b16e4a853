"""One sweep: cotangents carried from where they are known down to the leaves, in one recorded call.

It goes through the present recording, or through the history of an earlier one, and halts at `stops`, where Python has
a say (`backprop`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kadam import autodiff
from kadam.errors import GradientError
from kadam.ir.builder import current_builder
from kadam.ir.graph import Node, Phase
from kadam.primitives.move import Copy
from kadam.primitives.sources import Full
from kadam.recording.calls import emit, node_of, symbol
from kadam.recording.gradient_names import names_in
from kadam.recording.history import CHANGED, TWICE, Adopted, Plan, adopting, plan, swept_of
from kadam.recording.operation import Raw, operation
from kadam.recording.step import state
from kadam.recording.trail import Path
from kadam.recording.way import toward

if TYPE_CHECKING:
    from kadam.tensor import Tensor

Places = tuple[int, ...]


@operation(grad="AddBackward0")
def combine(a: Tensor, b: Tensor) -> Tensor:
    """The sum of two cotangents."""
    return symbol(node_of(a) + node_of(b))


def bounds(
    path: Path, starts: Collection[int], collect: Collection[int] | None, stops: Collection[int]
) -> tuple[set[int], set[int], set[int]]:
    """How far a sweep goes: the nodes whose cotangents it gives back, those that it does not pass, and those through
    which it goes; all by id.

    Args:
        path: it goes through.
        starts: where it begins; one that starts at a stop has passed it.
        collect: where cotangents are to arrive, so that it goes nowhere else; None for all leaves.
        stops: where it halts.
    """
    ahead = set(stops).difference(starts)
    if collect is None:
        return leaves_of(path) | ahead, ahead, path.builder.active
    way = toward(path, collect)
    return set(collect).difference(stops) | (ahead & way), ahead, way


def _seeded(nodes: Sequence[Node], starts: Places, cts: Sequence[Tensor | None]) -> dict[int, Node]:
    builder = current_builder()
    found: dict[int, Any] = {}
    for start, ct in zip(starts, cts, strict=True):
        kind = nodes[start].type
        found[start] = builder.emit(Full(1, kind.shape, kind.dtype)) if ct is None else ct._node
    return found


@operation
def owned(ct: Tensor) -> Tensor:
    """A cotangent in memory of its own: hooks and custom functions may hold the given one."""
    return emit(Copy(), ct)


_NAMES = {"Dot": "MmBackward0", "Broadcast": "ExpandBackward0", "Reshape": "ViewBackward0", "Permute": "TBackward0"}


def _named(found: Mapping[int, Node], path: Path, starts: Places, again: bool) -> dict[int, Tensor]:
    """Cotangents, named as PyTorch names what makes them if they may be differentiated `again`."""
    name_of = names_in(path, starts) if again else None
    tensors = {}
    for one, ct in found.items():
        tensor = tensors[one] = symbol(ct)
        if name_of is not None:
            primitive = type(ct.primitive).__name__
            tensor._tag = name_of(one) or _NAMES.get(primitive, f"{primitive}Backward0")
    return tensors


@operation(phase=Phase.BACKWARD)
def sweep_present(
    cts: Sequence[Tensor | None],
    starts: Raw,
    collect: Raw,
    stops: Raw,
    create_graph: Raw,
    retain: Raw,
    swept: Raw = frozenset(),
) -> dict[int, Tensor]:
    """Carry cotangents from the positions `starts` of the present recording to its leaves: position -> cotangent.

    `collect`: the positions where they are to arrive instead, as in `bounds`.
    `swept`: ids of the nodes that earlier sweeps of the same backward pass have gone through.
    """
    path: Path = state.inside.path
    builder = path.builder
    at = {path.at(place).id: place for place in (*starts, *(collect or ()), *stops)}
    at.update({node.id: ~index for index, node in enumerate(path.feeds)})
    ids = tuple(path.at(place).id for place in starts)
    wanted = None if collect is None else [path.at(place).id for place in collect]
    collected, halts, way = bounds(path, ids, wanted, [path.at(place).id for place in stops])
    builder.tracking = create_graph
    nodes = list(builder.nodes)
    found = autodiff.backward(nodes, _seeded(nodes, ids, cts), way, collected, halts)
    if any(ct is not None for ct in cts):  # one that is a value of the path is no value that a derivative reads
        done = plan(path, ids, collected, halts, way)
    else:
        done = swept_of(found, len(nodes))
    if done.reading & (path.freed - swept):
        raise GradientError(TWICE)
    check_unchanged(path, done)
    if not retain:
        path.freed |= done.reading
    named = _named(found, path, ids, create_graph)
    return {at[one]: ct for one, ct in named.items()}


def check_unchanged(path: Path, ahead: Plan) -> None:
    """Raise where a derivative would read memory that the recording has changed since."""
    changed = [one for reader, one in ahead.reads if reader not in path.overwritten.get(one, {reader})]
    if changed:
        node = path.builder.nodes[min(changed)]
        raise GradientError(CHANGED.format(what=f"a {node.type} that {node.source} made"))


def leaves_of(path: Path) -> set[int]:
    """The feeds of a path that gradients flow to, by id."""
    return {node.id for node in path.feeds if node.id in path.builder.active}


@operation(phase=Phase.BACKWARD)
def sweep_history(
    cts: Sequence[Tensor | None],
    values: Sequence[Tensor],
    needed: Raw,
    end: Raw,
    starts: Raw,
    collect: Raw,
    stops: Raw,
    create_graph: Raw,
) -> dict[int, Tensor]:
    """Carry cotangents through an earlier recording, which ended at `end`: node id -> cotangent."""
    path: Path = end.plans["path"]
    builder = current_builder()
    builder.tracking = create_graph
    known: dict[int, Node] = dict(zip(needed, [node_of(value) for value in values], strict=True))
    nodes = path.builder.nodes
    collected, halts, way = bounds(path, starts, collect, stops)
    with adopting(builder, Adopted(builder, known)):
        found = autodiff.backward(nodes, _seeded(nodes, starts, cts), way, collected, halts)
    return _named(found, path, starts, create_graph)


sweep_history.operation.anywhere = True  # type: ignore[attr-defined]  # `end` tells which recording it goes through
