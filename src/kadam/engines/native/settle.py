"""Rows copied into the order in which tiles read them: lines far apart become one stream."""

from __future__ import annotations

from kadam.engines.native.form import digits, lesser, times, total
from kadam.engines.native.stage import Scratch, Stage
from kadam.engines.native.tile import Tiling
from kadam.engines.native.turn import below, load_as
from kadam.engines.native.writer import Writer

STEPS = 32  # summed indices that a task copies: it reads them as they lie, and the processor sees the next ones coming
TILES = 32  # that it writes to in turn: more lines would not stay in the first-level cache until they are full


def settled(t: Tiling, name: str) -> tuple[Stage, Scratch]:
    """The stage that copies the rows of all tiles (a task is some summed indices), and where it copies them to."""
    w, form = Writer(), t.form
    size_bytes = form.products * t.tiles * t.tile_elements * form.sums.itemsize
    copy = Scratch(size_bytes)
    sizes = [form.contraction.axes[place].size for place in form.outer]
    mask = below(w, t.lanes, t.rows) if t.rows < t.lanes else None
    blocks = -(-form.depth // STEPS)
    with w.loop(*w.tasks) as task:
        product, block = digits(w, task, (form.products, blocks))
        a, _ = form.corners(w, digits(w, product, sizes))
        source = w.address(form.contraction.dtype, w.buffer(form.contraction.a.key), a)
        target = w.address(form.sums, w.buffer(copy), times(w, product, t.tiles * t.tile_elements))
        first = times(w, block, STEPS)
        last = lesser(w, total(w, first, STEPS), form.depth)
        with w.loop(0, t.tiles, TILES) as left, w.loop(first, last) as step:
            here = w.address(form.contraction.dtype, source, times(w, step, form.rows.inner))
            there = w.address(form.sums, target, times(w, step, t.rows))
            with w.loop(left, lesser(w, total(w, left, TILES), t.tiles)) as tile:
                row = lesser(w, times(w, tile, t.rows), form.rows.size - t.rows)
                found = load_as(w, form.sums, t.lanes, form.contraction.dtype, here, row, mask)
                w.store(found, there, times(w, tile, t.tile_elements), mask)
    tasks = form.products * blocks
    stage = Stage(name, w.text(), tuple(w.buffers), tasks, 0.0, 2.0 * size_bytes, 4.0 * size_bytes)
    return stage, copy
