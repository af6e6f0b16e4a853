"""Tiers: a program runs on the reference engine first, on a faster one once it has run often enough.

The switch depends on counts alone, so that a script does the same at every run.
"""

from __future__ import annotations

from collections.abc import Callable

from kadam.engines import reference
from kadam.engines.delivery import Over, delivered
from kadam.engines.reference import Run
from kadam.ir.graph import Graph
from kadam.recording.trail import Program

NATIVE_AFTER = 2  # runs on the reference engine: what runs once or twice is not worth compiling
# What makes a faster run function of a graph that keeps the contract of `kadam.engines.delivery`, or None.
compilers: list[Callable[[Graph, Over], Run | None]] = []


def first_tier(graph: Graph, over: Over) -> Run:
    """The run function that every program starts with."""
    return delivered(reference.compile(graph), over)


def promote(program: Program) -> None:
    """Let a program run on the first engine that takes it; it stays where it is if none does."""
    graph, program.graph = program.graph, None
    if graph is None:
        return
    for compile in compilers:
        run = compile(graph, program.over)
        if run is not None:
            program.run = run
            return
