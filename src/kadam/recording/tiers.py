"""Tiers: a program runs on the reference engine first, on the native one once it has run often enough.

The switch depends on counts alone, so that a script does the same at every run. KADAM_ENGINE=reference keeps all
programs on the reference engine; KADAM_ENGINE=native compiles each before its first run.
"""

from __future__ import annotations

import os

from kadam.engines import native, reference
from kadam.engines.delivery import Over, delivered
from kadam.engines.reference import Run
from kadam.ir.graph import Graph
from kadam.recording.trail import Program

# Runs on the reference engine: what runs once or twice is not worth compiling.
NATIVE_AFTER = {"reference": -1, "native": 0}.get(os.environ.get("KADAM_ENGINE", ""), 2)

SETTLED = 40  # runs after which a program is part of a loop that goes on: what Python does around it is compiled too


def first_tier(graph: Graph, over: Over) -> Run:
    """The run function that every program starts with."""
    return delivered(reference.compile(graph), over)


def before_run(program: Program) -> None:
    """What is to be done before one of a program's first runs."""
    if program.count == NATIVE_AFTER:
        promote(program)
    if program.count == SETTLED - 1 and NATIVE_AFTER >= 0:
        native.compile_own()


def promote(program: Program) -> None:
    """Let a program run on the native engine from now on."""
    graph, program.graph = program.graph, None
    if graph is not None:
        program.run = native.compile(graph, program.over, program.run)
