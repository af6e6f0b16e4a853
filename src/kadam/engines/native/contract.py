"""Contractions: matrix products in all their layouts, each element's sum in one fixed order."""

from __future__ import annotations

from dataclasses import replace

from kadam.engines.native.choice import Way, best, cycles, even
from kadam.engines.native.form import Axis, Contraction, Operand
from kadam.engines.native.inner import Inner, inner_kernel
from kadam.engines.native.matrix_unit import matrix_unit_kernel
from kadam.engines.native.nest import FLOPS
from kadam.engines.native.settle import settled
from kadam.engines.native.squares import Squares, thirds_of_rows
from kadam.engines.native.stage import Finish, Stage
from kadam.engines.native.target import host
from kadam.engines.native.tile import Announce, tile_kernel


def way(contraction: Contraction, parts: int = 0) -> Way | None:
    """How to compute a contraction best; or, if `parts` are given, in tasks that fall evenly to them, or None."""
    if any(axis.size == 0 for axis in contraction.inner):
        contraction = replace(contraction, inner=(Axis(0, 0, 0),))
    return even(contraction, parts) if parts else best(contraction)


def stages(contraction: Contraction, finish: Finish, name: str, announce: Announce | None = None) -> list[Stage]:
    """The launches that compute a contraction, handing its results to the hook.

    Args:
        contraction: what to compute.
        finish: what becomes of the results.
        name: for the profile.
        announce: prefetches what `finish` will read and write; used for large results only.
    """
    found = way(contraction) if contraction.size else None
    return stages_of(found, finish, name, announce) if found is not None else []


def stages_of(way: Way, finish: Finish, name: str, announce: Announce | None = None) -> list[Stage]:
    """The launches that compute a contraction in a given way."""
    contraction = way.form.contraction
    before: list[Stage] = []
    if contraction.size * contraction.dtype.itemsize <= host().l2_bytes // 8:
        announce = None
    if isinstance(way, Inner):
        w = inner_kernel(way, finish)
    elif isinstance(way, Squares):
        splitting, thirds = thirds_of_rows(way, f"{name} (rows)")
        before.append(splitting)
        w = matrix_unit_kernel(way, finish, announce, thirds)
    else:
        rows = None
        if way.settled:
            settling, rows = settled(way, f"{name} (rows)")
            before.append(settling)
        w = tile_kernel(way, finish, announce, rows)
    work = cycles(way) * FLOPS * way.lanes  # a measure of time, whatever the processor does in a cycle
    main = Stage(name, w.text(), tuple(w.buffers), way.tasks, contraction.flops, contraction.size_bytes, work)
    return [*before, main]


__all__ = ["Announce", "Axis", "Contraction", "Operand", "Way", "stages", "stages_of"]
