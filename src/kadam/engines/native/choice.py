"""How to cut a contraction: the ways there are, and an estimate of what each costs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from kadam.engines.native.form import Contraction, Form, Side
from kadam.engines.native.inner import Inner
from kadam.engines.native.squares import SQUARE, Squares
from kadam.engines.native.target import host
from kadam.engines.native.thirds import STEP
from kadam.engines.native.tile import Tiling

Way = Tiling | Inner | Squares  # to cut a contraction

BLOCK_BYTES = 64 << 10  # of columns that are copied together, and of sums that wait for the next round
MOST_WAITING = 4 * BLOCK_BYTES  # of such sums where a task's rows cannot be fewer
MOST_VECTORS = 6
ENOUGH_SUMS = 16  # of a tile for a core with one multiplier: four would hide the four cycles that a sum takes
PAGE_BYTES = 4096  # addresses so far apart share a set of the first-level cache
LINE_BYTES = 64
LAUNCH_CYCLES = 2000
LONG_CYCLES = 40_000  # work that is worth more than one thread
UNIT_DEPTHS = (128, 256, 512)  # of blocks that the matrix unit multiplies
UNIT_WIDTHS = (1, 2, 3, 4, 8)  # squares beside each other
UNIT_DESK_BYTES = 512 << 10  # of split columns and waiting sums, for each thread
UNIT_ROWS_BYTES = 32 << 20  # of split rows
UNIT_STEP = 460  # cycles of the unit for a square's 32 summed indices
UNIT_BLOCK = 100  # for bringing a square's sums and taking them away
UNIT_FAR = 1900  # for its rows' thirds at 32 summed indices, from beyond the second-level cache
UNIT_FINISH = 25  # for a vector of results
UNIT_COST = 1.4  # by so much these estimates are lower than those for vectors where both take as long
EVEN_COST = 1.3  # what a way may cost more than the best one that lets stages follow part by part
SCATTERED = 20  # how much more a line costs that is read again and again, if each is far from the one before
SETTLING = 4  # cycles for the elements of one tile's rows at one summed index
LEAST_TASKS, MOST_TASKS = 4, 64  # that such work is cut into, if it can be


def best(contraction: Contraction) -> Way:
    """The way that is likely to take the fewest cycles."""
    cost, way = min(((cycles(way), way) for way in ways(contraction)), key=lambda pair: pair[0])
    return _grouped(way, cost)


def ways(contraction: Contraction) -> Iterator[Way]:
    """The ways to cut a contraction that may be worth it, each in as few tasks as it allows."""
    for given in (contraction, contraction.swapped()):
        yield from _ways(Form.of(given))


def even(contraction: Contraction, parts: int) -> Way | None:
    """The way in tasks that fall evenly to the parts of a step, if one costs little more than the best.

    The tasks then move along the first axis of the result: that of the batch, in most networks.
    """
    found = [(cycles(way), way) for way in _even_ways(contraction, parts)]
    if not found:
        return None
    cost, way = min(found, key=lambda pair: pair[0])
    return way if cost <= EVEN_COST * cycles(best(contraction)) + 2 * LAUNCH_CYCLES else None


def _even_ways(contraction: Contraction, parts: int) -> Iterator[Way]:
    """The ways whose tasks move along the result's first axis: outer products, columns in panels, rows in shares."""
    for given in (contraction, contraction.swapped()):
        form = Form.of(given)
        for way in _ways(form):
            if isinstance(way, Inner):
                if form.outer and form.outer[0] == 0 and given.axes[0].size % parts == 0:
                    yield way
            elif isinstance(way, Tiling) and not way.settled:  # which takes a stage of its own
                yield from _evened(way, parts)


def _evened(way: Tiling, parts: int) -> Iterator[Tiling]:
    """A way with tasks that fall evenly to the parts, if that can be."""
    form, rounds = way.form, math.prod(way.rounds)
    if form.outer:
        if form.outer[0] == 0 and form.contraction.axes[0].size % parts == 0:
            yield way
        return
    columns, odd_columns = divmod(form.columns.size, parts)
    if form.columns.axis == 0 and not odd_columns and columns % way.width == 0 and rounds == 1:
        yield replace(way, group=way.tiles)
    rows, odd_rows = divmod(form.rows.size, parts)
    if form.rows.axis == 0 and not odd_rows and rows >= way.rows:
        tiles = -(-rows // way.rows)
        if rounds == 1 or tiles * way.rows * way.width * form.sums.itemsize <= MOST_WAITING:
            yield replace(way, share=rows, group=tiles)


def cycles(way: Way) -> float:
    """What a way is likely to take, on one core."""
    if isinstance(way, Squares):
        return _unit_cycles(way)
    return _inner_cycles(way) if isinstance(way, Inner) else _tile_cycles(way)


def _ways(form: Form) -> Iterator[Way]:
    lanes = host().vector_bytes // form.sums.itemsize
    adjacent = form.columns.stride == 1 or form.columns.size == 1
    scattered = form.rows.stride == 1 and form.rows.inner != 1
    for rows, vectors in _shapes(form, lanes):
        if adjacent or not form.depth:
            yield _tiling(form, lanes, rows, vectors, form.depth, gathered=False)
        if form.depth and form.columns.size > 1 and (form.rows.size > rows or not adjacent):
            row_bytes = vectors * lanes * form.sums.itemsize
            sizes = (host().l1_bytes * 2 // 3, BLOCK_BYTES)
            for depth in {_block(form.depth, most // row_bytes, lanes) for most in sizes}:
                yield _tiling(form, lanes, rows, vectors, depth, gathered=True)
                if scattered and rows <= lanes and not form.extra:
                    yield _tiling(form, lanes, rows, vectors, depth, gathered=True, settled=True)
    if Squares.suit(form):
        yield from _unit_ways(form)
    if form.rows.inner == form.columns.inner == 1 and form.depth and not form.turned:
        yield from _inner_ways(form, lanes)


def _unit_ways(form: Form) -> Iterator[Squares]:
    widest = form.columns.size // SQUARE
    for depth in {-(-_block(form.depth, most, STEP) // STEP) * STEP for most in UNIT_DEPTHS}:
        for beside in {one for one in UNIT_WIDTHS if one <= widest}:
            way = Squares(form, beside, depth, -(-form.rows.size // SQUARE))
            while way.desk_bytes > UNIT_DESK_BYTES and way.group > 1:
                way = replace(way, group=-(-way.group // 2))
            fits = way.desk_bytes <= UNIT_DESK_BYTES and way.bounds_at <= UNIT_ROWS_BYTES
            if fits and form.products * way.panels * way.tiles >= LEAST_TASKS:
                yield way


def _shapes(form: Form, lanes: int) -> Iterator[tuple[int, int]]:
    """Rows and vectors of the tiles whose sums fit into the registers, beside columns, an element, and two to spare.

    One multiplier is busy with fewer: registers are better left to what finishes other results meanwhile.
    """
    registers = host().vector_registers
    widest = 1 if form.columns.size < lanes else -(-form.columns.size // lanes)
    for vectors in range(1, min(widest, MOST_VECTORS if form.rows.size > 2 else 8) + 1):
        sums = ENOUGH_SUMS if host().multiply_adds == 1 else registers - 3 - vectors
        most = min(sums // vectors, form.rows.size, lanes if form.turned else registers)
        for rows in range(max(1, (most + 1) // 2), most + 1):
            yield rows, vectors


def _block(depth: int, most: int, lanes: int) -> int:
    """The depth of blocks of about equal size."""
    return min(depth, -(-depth // math.ceil(depth / most) // lanes) * lanes)


def _tiling(
    form: Form, lanes: int, rows: int, vectors: int, depth: int, gathered: bool, settled: bool = False
) -> Tiling:
    copies = max(1, min(8 // (rows * vectors), form.depth // 8))
    group = -(-form.rows.size // rows)
    if depth < form.depth or form.extra:  # sums wait for the next round
        group = min(group, BLOCK_BYTES // (rows * vectors * lanes * form.sums.itemsize))
    if form.rows.inner != 1 and not settled:  # scattered lines, which task after task reads, stay near the core
        tile_bytes = rows * form.depth * form.contraction.dtype.itemsize
        group = max(1, min(group, host().l2_bytes // 4 // max(1, tile_bytes)))
    return Tiling(form, lanes, rows, vectors, copies, gathered, settled, depth, group)


def _unit_cycles(t: Squares) -> float:
    form, steps, squares = t.form, -(-t.form.depth // STEP), t.tiles * t.panels * t.beside
    square: float = steps * UNIT_STEP + t.blocks * UNIT_BLOCK
    if 6 * t.group * SQUARE * form.depth > host().l2_bytes // 2:  # its rows come from afar for each task
        square = max(square, steps * UNIT_FAR / t.beside)
    if form.contraction.size * form.contraction.dtype.itemsize > host().l2_bytes:
        square += 40 * SQUARE
    panels = t.groups * t.panels * t.beside * 2 * steps * _split_cycles(form.columns, left=form.turned)
    unit, vectors = squares * square, squares * 2 * SQUARE * UNIT_FINISH + panels
    busy = max(unit, vectors) + 0.4 * min(unit, vectors)  # they work side by side, but share much
    rows = LAUNCH_CYCLES / form.products + t.tiles * steps * 2 * _split_cycles(form.rows, left=not form.turned)
    return UNIT_COST * (form.products * (rows + busy) + panels / (t.groups * t.panels * t.blocks))


def _split_cycles(side: Side, left: bool) -> int:
    """What it takes to split 16 of its rows or columns at 32 summed indices."""
    down, across = (side.stride, side.inner) if left else (side.inner, side.stride)
    return 400 if across == 1 else 600 if down == 1 else 1500


def _tile_cycles(t: Tiling) -> float:
    form, itemsize, sums = t.form, t.form.contraction.dtype.itemsize, t.rows * t.vectors
    tile = form.steps * _step_cycles(t) + 20 + 4 * sums + (t.vectors * 90 if form.turned else 0)
    tile += t.result_vectors * form.contraction.after * (0.25 if t.overlapped else 0.5)
    tile += (math.prod(t.rounds) - 1) * (20 + 2 * sums)
    if form.contraction.size * itemsize > host().l2_bytes:
        tile += 40 * t.rows + 8 * sums
    columns = form.steps * t.vectors * 1.5
    if t.gathered:
        vector = 2 if form.columns.stride == 1 else 6 if form.columns.inner == 1 else 24
        columns = form.steps * (t.vectors * vector + 3) * (1 + _far(form, form.columns.size * itemsize))
        columns += 20 * math.prod(t.rounds)
    settling = LAUNCH_CYCLES / form.products + form.depth * t.tiles * SETTLING if t.settled else 0
    tiles = t.groups * t.group if t.share else t.tiles
    return form.products * (settling + t.panels * (t.groups * (columns + 20) + tiles * tile))


def _step_cycles(t: Tiling) -> float:
    """What an element of each row, times the columns, takes."""
    form, itemsize = t.form, t.form.contraction.dtype.itemsize
    loads, sums = t.rows + t.vectors, t.rows * t.vectors
    step = max(sums / host().multiply_adds, 0.65 * loads, 4 / t.copies) + 0.5 + 0.07 * loads
    if t.tiles > 1:
        apart = t.vectors * LINE_BYTES if t.gathered else form.columns.inner * itemsize
        step += _late(apart, t.depth, t.vectors)
    if form.rows.inner == 1 and not t.settled and _crowded(t.rows, form.rows.stride * itemsize):
        step += 2 * t.rows
    if t.panels > 1:
        scattered = form.rows.inner != 1 and not t.settled
        step += _far(form, form.rows.size * itemsize) * (SCATTERED if scattered else 1)
    return step


def _far(form: Form, bytes_a_step: int) -> float:
    """How far from the core an operand lies which is read again and again: 0 to 1."""
    size_bytes = form.depth * bytes_a_step
    return 0 if size_bytes <= host().l1_bytes / 2 else 0.3 if size_bytes <= host().l2_bytes / 2 else 1


def _crowded(lines: int, apart: int) -> bool:
    """Whether some lines, so many bytes apart, do not fit into the first-level cache because they share its sets."""
    sets = PAGE_BYTES // math.gcd(max(abs(apart), LINE_BYTES), PAGE_BYTES)
    return -(-lines // sets) > host().l1_bytes // PAGE_BYTES


def _late(apart: int, depth: int, lines: int) -> float:
    """The cycles that some lines cost which each of many tiles reads again at each step, so many bytes apart."""
    sets = PAGE_BYTES // math.gcd(max(abs(apart), LINE_BYTES), PAGE_BYTES)
    near, far = host().l1_bytes / 2, host().l2_bytes / 2
    if depth * lines * LINE_BYTES <= near and depth <= near / PAGE_BYTES * sets:
        return 0
    if depth * lines * LINE_BYTES <= far and depth <= far / PAGE_BYTES * sets:
        return lines * (0.25 if abs(apart) < PAGE_BYTES / 2 else 4)
    return lines * 20


def _inner_ways(form: Form, lanes: int) -> Iterator[Inner]:
    count, rows = max(lanes, 8), 1
    while rows <= min(count, form.rows.size):
        columns = count // rows
        while columns > form.columns.size:
            columns //= 2
        yield Inner(form, lanes, rows, columns, -(-form.columns.size // columns))
        rows *= 2


def _inner_cycles(p: Inner) -> float:
    form, sums = p.form, p.rows * p.columns
    step = max(sums / host().multiply_adds, (p.rows + p.columns) / 2, 4) + 0.5
    bytes_again = form.steps * form.columns.size * form.contraction.dtype.itemsize
    if p.tiles > 1 and bytes_again > host().l1_bytes / 2:
        step += p.columns * (8 if bytes_again > host().l2_bytes / 2 else 0.6)
    vectors = -(-form.depth // p.lanes) * form.steps / form.depth
    folds = -(-sums // p.lanes) * (3 * p.lanes + 10)
    return form.products * p.tiles * p.panels * (vectors * step + folds + 15 + 4 * p.rows)


def _grouped(way: Way, cost: float) -> Way:
    """Long work in tasks enough that no thread waits long for the last; each copies its columns anew."""
    if cost < LONG_CYCLES:
        return way
    parts = [replace(way, group=-(-way.group // count)) for count in (1, 2, 4, 8, 16) if count <= way.group]
    suitable = [part for part in parts if LEAST_TASKS <= part.tasks <= MOST_TASKS]
    return min(suitable or parts[:1], key=lambda part: cycles(part) * (_uneven(part.tasks) + 0.4 / part.tasks))


def _uneven(tasks: int) -> float:
    """How much longer the core with most of some tasks works than if all cores had as many."""
    cores = host().cores
    return -(-tasks // cores) * cores / tasks
