"""Kernels that do not compute point by point: tiles in registers, and writes to places that data decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from kadam.dtypes import dtype
from kadam.engines.native import again, contract, convolve, pool
from kadam.engines.native.address import prefetch
from kadam.engines.native.again import Likeness
from kadam.engines.native.collapse import Loops, collapse
from kadam.engines.native.contract import Axis, Contraction, Operand
from kadam.engines.native.element import Apply, Constant, Element, Load, NodeReader, Number, Reading, Test, walk
from kadam.engines.native.fuse import Group, Plan
from kadam.engines.native.loops import Emission, Store
from kadam.engines.native.nest import nest, own_work
from kadam.engines.native.parts import parts, touches
from kadam.engines.native.scan import scan
from kadam.engines.native.search import search
from kadam.engines.native.sort import sort
from kadam.engines.native.stage import Finish, Piece, Stage
from kadam.engines.native.tile import Tiling
from kadam.engines.native.writer import Value, Writer
from kadam.ir.graph import Node
from kadam.ir.place import Index, Place, Var, flat, place
from kadam.ir.primitive import Primitive
from kadam.primitives.contract import Dot
from kadam.primitives.convolve import Convolution
from kadam.primitives.index import Adding, IndexAdd, IndexPut, Scatter, ScatterAdd, ScatterEqual, ScatterReduce
from kadam.primitives.move import Concat
from kadam.primitives.pool import WindowArgMax
from kadam.primitives.scan import CumArgMax, CumArgMin, CumProd, CumSum, LinearScan
from kadam.primitives.sort import ModeIndices, SearchSorted, SortIndices, TopKIndices
from kadam.shapes import Shape, contiguous_strides

Kernel = Callable[[Node, Plan, str], list[Stage]]
MANY_PARTS = 3  # that are laid side by side, instead of being chosen from


# Tiles


def tile(group: Group, stores: Sequence[Store], plan: Plan, name: str, apart: bool) -> list[Stage]:
    """The stages of a contraction or a convolution, and of the values that are computed from it in registers.

    Args:
        apart: whether tasks shall fall evenly to the parts of a step, see `chain`, if that costs little.
    """
    assert group.head is not None
    node, head = group.head, group.elements[group.head.id]
    if isinstance(node.primitive, Dot):
        return _contraction(node, node.primitive, group, stores, plan, name, apart)
    loops = iter(group.loops)
    axes = [next(loops) if size != 1 else None for size in node.shape]
    types, keys = tuple(source.type for source in node.inputs), tuple(map(plan.memory, node.inputs))
    finish = _finish(axes, head, stores)
    if isinstance(node.primitive, WindowArgMax):
        return pool.stages(node.primitive, types, keys, finish, name)
    assert isinstance(node.primitive, Convolution)
    return convolve.stages(node.primitive, types, keys, finish, name, flat=_is_flat(stores))


def _is_flat(stores: Sequence[Store]) -> bool:
    """Whether what becomes of a tile only reads and writes buffers of its own shape, at its own place, and numbers."""
    elements = list(walk([store.element for store in stores]))
    places = {one.at for one in elements if isinstance(one, Load) and one.variables} | {store.at for store in stores}
    return len(places) == 1 and not any(isinstance(one, Number | Test) for one in elements)


def _contraction(
    node: Node, dot: Dot, group: Group, stores: Sequence[Store], plan: Plan, name: str, apart: bool
) -> list[Stage]:
    a, b = node.inputs
    a_free, b_free = dot.free(a.rank, b.rank)
    inner = [Var(a.shape[axis]) for axis in dot.a_axes]
    here, over = group.here(node.shape), tuple(map(place, inner))
    batches, rows = len(dot.a_batch), len(a_free)
    batch, row, column = here[:batches], here[batches : batches + rows], here[batches + rows :]
    seen = Reading(plan.inner)
    operands = [
        Store(load.key, load.at, Constant(node.dtype, 0))
        for load in (
            _seen(seen, a, dict(zip(dot.a_batch + a_free + dot.a_axes, batch + row + over, strict=True))),
            _seen(seen, b, dict(zip(dot.b_batch + b_free + dot.b_axes, batch + column + over, strict=True))),
        )
    ]
    nests = [tuple(var for at in part for var in at.variables()) for part in (batch, row, column)]
    nests = [*nests, tuple(inner)]
    head = Store(node, flat(here, node.shape), group.elements[node.id])
    all_stores = [*operands, head, *stores]
    apart = apart and _may_go_apart(node, dot, plan)
    return again.stages(Likeness(nests, all_stores, name, apart), lambda: _tiled(node, nests, all_stores, name, apart))


def _may_go_apart(node: Node, dot: Dot, plan: Plan) -> bool:
    """Whether each core may compute its part of a product's first axis by itself.

    What all parts read, such as a weight, goes to every core, and an update has left half of it with another one: that
    must be little beside the parts themselves, or be read by many products.
    """
    a, b = node.inputs
    own, shared = (a, b) if dot.free(a.rank, b.rank)[0] else (b, a)
    times = plan.factors[plan.memory(shared).id]
    return bool(dot.a_batch) or shared.type.size_bytes <= times * (own.type.size_bytes + node.type.size_bytes)


def _tiled(node: Node, nests: Sequence[Loops], stores: Sequence[Store], name: str, apart: bool) -> list[Stage]:
    """A contraction's stages. The first stores tell where the operands stand, and what is in registers."""
    (*outer, inner), (left, right, head, *rest) = collapse(nests, stores)

    def axis(var: Var) -> Axis:
        return Axis(var.size, left.at.terms.get(var, 0), right.at.terms.get(var, 0))

    axes = [var for part in outer for var in part]
    contraction = Contraction(
        node.dtype,
        tuple(map(axis, axes)),
        tuple(map(axis, inner)),
        Operand(left.key, left.at.constant),
        Operand(right.key, right.at.constant),
        _work_after(rest),
    )
    finish, announce = _finish(axes, head.element, rest), _announce(axes, rest)
    evenly = contract.way(contraction, parts()) if apart and contraction.size else None
    if evenly is not None:
        (stage,) = contract.stages_of(evenly, finish, name, announce)
        lead, step, leading = _lead(evenly, axes)
        operands = [Load(node.dtype, one.key, one.at, None) for one in (left, right)]
        return [replace(stage, leading=leading, touches=touches(stage.buffers, {lead: step}, rest, operands))]
    return contract.stages(contraction, finish, name, announce)


def _work_after(stores: Sequence[Store]) -> float:
    """What follows on a tile's results, in vector instructions for each vector of them."""
    elements = [one for store in stores for one in store.wanted]
    return sum(map(own_work, {*walk(elements)}.difference(_steady(elements))))


def _lead(way: contract.Way, axes: Sequence[Var]) -> tuple[Var, int, int]:
    """The variable that moves on slowest from task to task, how far a range of tasks moves it, and their number."""
    if way.form.outer:
        lead = axes[way.form.outer[0]]
        return lead, 1, lead.size
    assert isinstance(way, Tiling)
    if way.share:
        assert way.form.rows.axis is not None
        return axes[way.form.rows.axis], way.share, way.groups
    assert way.form.columns.axis is not None
    return axes[way.form.columns.axis], way.width, way.panels


def _seen(reading: Reading, node: Node, places: dict[int, Place]) -> Load:
    element = reading.at(node, tuple(places[axis] for axis in range(node.rank)))
    assert isinstance(element, Load), "the plan gives operands of tiles memory"
    return element


def _finish(axes: Sequence[Var | None], head: Element, stores: Sequence[Store]) -> Finish:
    """What becomes of the tile's results: the rest of the group, at the point of the loops."""
    elements = [one for store in stores for one in store.wanted]
    steady = _steady(elements)
    steadied: dict[Writer, dict[Element, Value]] = {}

    def finish(
        writer: Writer, at: tuple[Value, ...], lanes_along: int | None, value: Value, mask: Value | None
    ) -> None:
        if writer not in steadied:
            with writer.at_start():
                before = Emission(writer, steady, None, 0)
                before.advance()
                steadied[writer] = {one: before.value(one) for one in steady}
        lane = None if lanes_along is None else axes[lanes_along]
        emission = Emission(writer, elements, lane, value.lanes)
        for element, known in steadied[writer].items():
            emission.give(element, known)
        places = {var: own for var, own in zip(axes, at, strict=True) if var is not None}
        emission.enter(places, mask)
        emission.give(head, value)
        emission.advance()
        emission.finish(stores)

    return finish


def _steady(elements: Sequence[Element]) -> list[Element]:
    """What is the same for all results, such as a learning rate: it is read once."""
    found: set[Element] = set()
    for one in walk(elements):
        simple = isinstance(one, Apply | Constant) or (isinstance(one, Load) and one.guard is None)
        if simple and not one.variables and found.issuperset(one.parts):
            found.add(one)
    return [one for one in walk(elements) if one in found]


def _announce(axes: Sequence[Var | None], stores: Sequence[Store]) -> contract.Announce:
    """What tells the processor which memory `_finish` is about to read and write."""
    loads = [one for one in walk([store.element for store in stores]) if isinstance(one, Load) and one.at.is_affine]
    touched = {(one.key, one.at): one.dtype for one in loads if len(one.variables) == len(axes)}
    touched |= {(store.key, store.at): store.element.dtype for store in stores}

    def announce(writer: Writer, at: tuple[Value, ...]) -> None:
        emission = Emission(writer, [], None, 0)
        emission.enter({var: own for var, own in zip(axes, at, strict=True) if var is not None})
        for (key, place_), record in touched.items():
            here = writer.address(record, writer.buffer(key), emission.place(place_))
            prefetch(writer, here)

    return announce


# Writes to places that data decide


@dataclass(frozen=True)
class _Where:
    """Stands for the tensor that is written: asked for an element, it answers where that stands."""

    shape: Shape
    dtype: dtype

    def __call__(self, at: Index) -> Any:
        return at


def write(node: Node, plan: Plan, name: str) -> list[Stage]:
    """A copy of the base, and then the values to their places, in order."""
    primitive: Any = node.primitive
    base, value, *indices = node.inputs
    loops = tuple(map(Var, node.shape))
    here = tuple(map(place, loops))
    copied = Store(node, flat(here, node.shape), Reading(plan.inner).at(base, here))
    stages = [nest(loops, [copied], f"{name} (base)")]
    if not value.type.elements:
        return stages
    reading = Reading(plan.inner)
    over = tuple(map(Var, value.shape))
    at = tuple(map(place, over))
    readers = [NodeReader(reading, index) for index in indices]
    where: Index = primitive.reading().lower(reading, at, _Where(base.shape, base.dtype), *readers)
    element = reading.at(value, at)
    sole = {one for place_ in where if place_.is_affine for one in place_.variables()}
    ordered = tuple(one for one in over if one not in sole)
    store = Store(node, flat(where, base.shape), element, _word(primitive))
    return [*stages, nest(over, [store], name, ordered)]


def _word(primitive: Primitive) -> str | None:
    if isinstance(primitive, Adding):
        return "sum"
    if isinstance(primitive, ScatterReduce):
        return {"amax": "largest", "amin": "smallest", "prod": "product"}[primitive.reduce]
    return None


# Parts side by side


def lay(node: Node, plan: Plan, name: str) -> list[Stage]:
    """Each part to its place, unless it has been made there (see `Plan.laid` and `strewn`)."""
    primitive = node.primitive
    assert isinstance(primitive, Concat)
    strides = contiguous_strides(node.shape)
    stages, start = [], 0
    for part in node.inputs:
        offset = start * strides[primitive.axis]
        start += part.shape[primitive.axis]
        there = plan.laid.get(plan.memory(part).id), plan.strewn.get(part.id)
        if not part.type.elements or (node, offset) in there:
            continue
        loops = tuple(map(Var, part.shape))
        here = tuple(map(place, loops))
        to = flat(here, node.shape)
        stored = [Store(Piece(node, offset), to, Reading(plan.inner).at(part, here))]
        stages += again.stages(Likeness([loops], stored, name), partial(_copied, loops, stored, name))
    return stages


def _copied(loops: Loops, stores: Sequence[Store], name: str) -> list[Stage]:
    return [nest(loops, stores, name)]


# Primitives that are not written in terms of elements, or are faster otherwise -> who makes their stages.
KERNELS: dict[type[Primitive], Kernel] = {
    **dict.fromkeys((Scatter, ScatterEqual, ScatterAdd, ScatterReduce, IndexPut, IndexAdd), write),
    **dict.fromkeys((CumSum, CumProd, LinearScan, CumArgMax, CumArgMin), scan),
    **dict.fromkeys((SortIndices, TopKIndices, ModeIndices), sort),
    SearchSorted: search,
    Concat: lay,
}


def is_own(node: Node) -> bool:
    """Whether one of these kernels computes a node: they know real numbers alone, and many parts alone are laid."""
    if isinstance(node.primitive, Concat) and len(node.inputs) < MANY_PARTS:
        return False
    return type(node.primitive) in KERNELS and not any(one.dtype.is_complex for one in (node, *node.inputs))
