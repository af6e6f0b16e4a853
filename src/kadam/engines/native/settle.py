"""Rows copied into the order in which tiles read them: lines far apart become one stream."""

from __future__ import annotations

from kadam.engines.native.form import digits, lesser, times, total
from kadam.engines.native.stage import Scratch, Stage
from kadam.engines.native.tile import Tiling
from kadam.engines.native.turn import below, load_as
from kadam.engines.native.writer import Writer


def settled(t: Tiling, name: str) -> tuple[Stage, Scratch]:
    """The stage that copies the rows of all tiles (a task is a tile), and where it copies them to."""
    w, form = Writer(), t.form
    size_bytes = form.products * t.tiles * t.tile_elements * form.sums.itemsize
    copy = Scratch(size_bytes)
    sizes = [form.contraction.axes[place].size for place in form.outer]
    mask = below(w, t.lanes, t.rows) if t.rows < t.lanes else None
    with w.loop(*w.tasks) as task:
        product, tile = digits(w, task, (form.products, t.tiles))
        a, _ = form.corners(w, digits(w, product, sizes))
        row = lesser(w, times(w, tile, t.rows), form.rows.size - t.rows)
        source = w.address(form.contraction.dtype, w.buffer(form.contraction.a.key), total(w, a, row))
        target = w.address(form.sums, w.buffer(copy), times(w, task, t.tile_elements))
        with w.loop(0, form.depth) as step:
            at = times(w, step, form.rows.inner)
            found = load_as(w, form.sums, t.lanes, form.contraction.dtype, source, at, mask)
            w.store(found, target, times(w, step, t.rows), mask)
    tasks = form.products * t.tiles
    stage = Stage(name, w.text(), tuple(w.buffers), tasks, 0.0, 2.0 * size_bytes, 4.0 * size_bytes)
    return stage, copy
