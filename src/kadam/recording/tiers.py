"""Tiers: a program runs on the reference engine first, on the native one once it has run often enough.

The switch depends on counts alone, so that a script does the same at every run. KADAM_ENGINE=reference keeps all
programs on the reference engine; KADAM_ENGINE=native compiles each before its first run.

Most programs are worth compiling at their third run; at once those of which a run on the reference engine takes longer
than compiling. Not so a program whose shapes differ at each step, from a thousand that come again: so programs that are
made of the same primitives are one *family*, and must have run the more often before they are compiled, the more
members of the family were compiled and have not paid that back yet.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import sqrt

from kadam import passes
from kadam.engines import native, pieces, reference
from kadam.engines.delivery import Over, delivered
from kadam.engines.reference import Run
from kadam.ir.graph import Graph, Node
from kadam.primitives.contract import Dot
from kadam.primitives.convolve import Convolution
from kadam.recording.pause import uncollected
from kadam.recording.trail import Family, Program

# Runs on the reference engine: what runs once or twice is not worth compiling.
NATIVE_AFTER = {"reference": -1, "native": 0}.get(os.environ.get("KADAM_ENGINE", ""), 2)

SETTLED = 40  # runs after which a program is part of a loop that goes on, and has paid for its compilation
WARM = 5  # runs after which, on the native engine, what Python does around them is compiled too
at_once = [False]  # whether programs are made to run natively at once, many steps in a call: Python has little to do
CROWD = 4  # members that have not paid, after which the next ones run twice as often first, and so on
PATIENCE = 4  # how often that is doubled at most: 32 runs, fewer than SETTLED
# What the reference engine does in the time that a node takes by itself, some 4 microseconds: simple elements, and
# products in a contraction, or in a convolution, whose windows are unrolled first.
ELEMENTS, PRODUCTS, UNROLLED = 4_000, 100_000, 4_000
# For how many runs of hardly any elements compiling a node takes time; a contraction that is not like another one.
RUNS, TILED_RUNS = 64, 5_000


def first_graph(graph: Graph) -> Graph:
    """A path as it is run first: as it was recorded, for it may not come back; improved if no engine will do that."""
    return passes.improve(graph) if NATIVE_AFTER < 0 else graph


def first_tier(graph: Graph, over: Over, starts: Sequence[int] = ()) -> Run:
    """The run function that every program starts with.

    Args:
        starts: the ids at which the pieces of a path as it was recorded begin, see `kadam.engines.pieces`.
    """
    if not starts or NATIVE_AFTER <= 0:
        return delivered(reference.compile(graph), over)
    return delivered(pieces.compile(graph, starts), over)


def before_run(program: Program) -> None:
    """What is to be done before one of a program's first runs."""
    if program.count == program.due:
        promote(program)
    if program.count >= WARM and program.graph is None and not at_once[0]:
        native.compile_own()  # once
    if program.count == SETTLED - 1 and program.graph is None:
        program.family.unpaid -= 1


def promote(program: Program) -> None:
    """Let a program that is due run on the native engine from now on, unless its family asks for patience."""
    if program.graph is None or NATIVE_AFTER < 0:
        return
    crowded = program.family.unpaid >= CROWD and program.count < NATIVE_AFTER
    if crowded or program.count < _wait(program.family, program.graph):
        program.due = due_from(program.count + 1)
        return
    program.family.unpaid += 1
    go_on(program, program.count)


def go_on(program: Program, count: int) -> None:
    """Let a program that has run so often, also in the processes before, run on the native engine."""
    graph, program.graph = program.graph, None
    if graph is not None:
        with uncollected():
            graph = passes.improve(graph)
        begun = program.run
        program.run = native.compile(graph, program.over, begun)
        if program.run is begun:  # refused
            program.run = first_tier(graph, program.over)
    program.count, program.due = count, -1


def due_from(count: int) -> int:
    """The next count, from this one on, at which the reference engine may be left."""
    due = NATIVE_AFTER
    while 0 < due < count:
        due *= 2
    return due


def counted(program: Program) -> int:
    """How often a program has run, as far as it makes a difference: -1 - count if it runs on the native engine."""
    if program.graph is None:
        return -1 - min(program.count, SETTLED)
    return program.count if NATIVE_AFTER >= 0 else 0


def _wait(family: Family, graph: Graph) -> int:
    """How often a program must have run before it is compiled."""
    crowds = max(family.unpaid, 0) // CROWD
    cost, runs = 1 + sum(map(_cost, graph.nodes)), RUNS * len(graph.nodes)
    if not crowds:
        if runs >= NATIVE_AFTER * cost:
            return NATIVE_AFTER
        tiled = {(one.primitive, one.inputs[0].type, one.inputs[1].type) for one in graph.nodes if _is_tiled(one)}
        return min(NATIVE_AFTER, (runs + TILED_RUNS * len(tiled)) // cost)
    return min(NATIVE_AFTER << min(crowds, PATIENCE), max(NATIVE_AFTER, runs // cost))


def _is_tiled(node: Node) -> bool:
    return isinstance(node.primitive, Dot | Convolution)


def _cost(node: Node) -> int:
    """What a node takes on the reference engine, counted in nodes that have hardly any elements."""
    cost = 1 + node.type.elements // ELEMENTS
    if _is_tiled(node):
        a, b = node.inputs[:2]
        products = int(sqrt(a.type.elements * b.type.elements * node.type.elements))
        cost += products // (UNROLLED if isinstance(node.primitive, Convolution) else PRODUCTS)
    return cost
