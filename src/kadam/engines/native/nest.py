"""Kernels that compute elements point by point: which loop gets the lanes, which loops are tasks."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from math import prod

from kadam.dtypes import dtype
from kadam.engines.native.collapse import Loops, collapse
from kadam.engines.native.element import Apply, Constant, Element, Fold, Load, Number, walk
from kadam.engines.native.loops import Emission, Store
from kadam.engines.native.parts import parts, touches
from kadam.engines.native.stage import Stage
from kadam.engines.native.target import host
from kadam.engines.native.writer import Value, Writer, index
from kadam.ir.place import Place, Var
from kadam.shapes import count

# What an element of a primitive costs, in vector instructions of an addition's length; of others 1.
COSTS = {
    "Exp": 16, "Expm1": 16, "Exp2": 16, "Log": 16, "Log1p": 16, "LibraryLog1p": 16, "Tanh": 16, "Sigmoid": 20,
    "Erf": 20, "Erfc": 20, "XLogY": 18, "XLog1pY": 18, "Entropy": 18, "Logit": 26,
    "Pow": 40, "Sin": 24, "Cos": 24, "Div": 10, "Sqrt": 14, "Rsqrt": 20, "Reciprocal": 10,
    "Gather": 4, "Index": 4, "WindowPick": 4,
}  # fmt: skip
GATHERED = 8  # an element whose neighbour is elsewhere in memory, likewise
BLOCK_COST = 1_024  # of a block of the lanes' loop, when it is a task, in vector instructions
FLOPS = 4.0  # that a core does to a lane in a cycle at best: the unit of a stage's work
ENOUGH_TASKS = 16  # for a team to share
AHEAD_BYTES = 1536  # how far ahead memory is fetched in kernels that read or write more than stays in the cache
BYTES = 16  # that a core reads or writes in a cycle


def nest(domain: Loops, stores: Sequence[Store], name: str, ordered: Loops = ()) -> Stage:
    """The stage that computes elements at all points of some loops and stores them.

    Args:
        domain: the loops, outermost first.
        stores: what is computed and stored at each point.
        name: of the stage.
        ordered: those of the loops whose points must be taken in order: they may write to one place.
    """
    shape = tuple(one.size for one in domain)
    size_bytes = _traffic(stores, shape)
    free = tuple(one for one in domain if one not in ordered)
    (free, ordered), stores = collapse([free, ordered], stores)
    elements = [one for store in stores for one in store.wanted]
    lane = choose_lane(free, stores)
    lanes = lanes_of(elements) * _abreast(lane, free, elements)
    writer = Writer()
    ahead = AHEAD_BYTES if size_bytes > host().l2_bytes // 4 else 0
    emission = Emission(writer, elements, lane, lanes, ahead)
    point = point_work(elements)
    author = _Tasks(writer, emission, free, ordered, lane, point)
    tasks = author.write(lambda: emission.finish(stores))
    points = prod(one.size for one in (*free, *ordered))
    cycles = max(point * points / (lanes if lane is not None else 1), size_bytes / BYTES)
    buffers = tuple(writer.buffers)
    stage = Stage(name, writer.text(), buffers, tasks, point * points, size_bytes, cycles * FLOPS * lanes)
    if author.lead is None:
        return stage
    return replace(stage, leading=author.leading, touches=touches(buffers, {author.lead: author.step}, stores))


class _Tasks:
    """The loops over the domain: the outer ones are counted by tasks."""

    def __init__(
        self, writer: Writer, emission: Emission, free: Loops, ordered: Loops, lane: Var | None, point: float
    ) -> None:
        self.writer, self.emission, self.lane, self.point = writer, emission, lane, point
        self.outer = [one for one in free if one is not lane]
        self.inner = [*ordered, *(one for one in free if one is lane)]
        self.lead: Var | None = None
        self.step, self.leading = 1, 0

    def write(self, finish: Callable[[], None]) -> int:
        """Write the loops around `finish`; returns how many tasks there are."""
        self.emission.advance()
        if not self.outer and self.inner == [self.lane]:
            return self._blocks(self.inner[0], finish)
        chosen = self._chosen()
        if chosen:
            self.lead, self.leading = self.outer[0], self.outer[0].size
        begin, end = self.writer.tasks
        with self.writer.loop(begin, end) as task:
            places = self._split(task, self.outer[:chosen])
            leave = self.emission.enter(places)
            if places:
                self.emission.advance(places)
            self._nest([*self.outer[chosen:], *self.inner], finish)
            leave()
        return prod(one.size for one in self.outer[:chosen])

    def _chosen(self) -> int:
        """How many of the outer loops are counted by tasks: enough for a team, few enough to count quickly."""
        tasks, chosen = 1, 0
        for one in self.outer:
            if tasks >= ENOUGH_TASKS:
                break
            tasks, chosen = tasks * one.size, chosen + 1
        return chosen

    def _split(self, task: Value, loops: Sequence[Var]) -> dict[Var, Value]:
        """The loop variables that the number of a task stands for."""
        found: dict[Var, Value] = {}
        rest = Var(prod(one.size for one in loops))
        leave = self.emission.enter({rest: task})
        position = Place(0, {rest: 1})
        stride = rest.size
        for one in loops:
            stride = stride // max(one.size, 1)
            found[one] = self.emission.place(position // stride if stride > 1 else position)
            position = position % stride if stride else position
        leave()
        return found

    def _nest(self, loops: Sequence[Var], finish: Callable[[], None]) -> None:
        if not loops:
            finish()
            return
        one = loops[0]
        full = one is not self.lane or one.size % self.emission.lanes == 0
        self.emission.along(one, 0, one.size, full, lambda _at, _copy: self._nest(loops[1:], finish))

    def _blocks(self, one: Var, finish: Callable[[], None]) -> int:
        """The only loop is that of the lanes: each task is a block of it."""
        lanes, writer = self.emission.lanes, self.writer
        size = lanes * _evenly(one.size, lanes, max(1, round(BLOCK_COST / max(self.point, 1))))
        if one.size % size == 0:
            self.lead, self.step, self.leading = one, size, one.size // size
        begin, end = writer.tasks
        low = self.emission.scalars.mul(begin, index(size))
        high = writer.intrinsic("smin", self.emission.scalars.mul(end, index(size)), index(one.size))
        self.emission.along(one, low, high, one.size % lanes == 0, lambda _at, _copy: finish())
        return -(-one.size // size)


def _evenly(size: int, lanes: int, wanted: int) -> int:
    """About as many vectors as wanted in a block, such that blocks fall evenly to the parts, if that can be."""
    share, rest = divmod(size, parts() * lanes)
    fitting = [count for count in range(-(-wanted // 4), 4 * wanted + 1) if not rest and share and share % count == 0]
    return min(fitting, key=lambda count: abs(count - wanted), default=wanted)


def lanes_of(elements: Sequence[Element]) -> int:
    """How many elements a register holds: of the widest floats, or of the widest type if there are no floats."""
    widths = {one.dtype for one in walk(elements)}
    floats = [record.itemsize for record in widths if record.is_floating_point]
    return max(host().vector_bytes // max([*floats, 4] if floats else [_width(one) for one in widths]), 1)


def _abreast(lane: Var | None, free: Loops, elements: Sequence[Element]) -> int:
    """How many registers wide the lanes are: sums of columns read a few neighbouring cache lines of each row."""
    if lane is None or lane not in free or not any(isinstance(one, Fold) for one in walk(elements)):
        return 1
    registers = lane.size // lanes_of(elements)
    return 4 if registers >= 4 else 2 if registers >= 2 else 1


def _width(record: dtype) -> int:
    return max(record.itemsize, 4)


def choose_lane(domain: Loops, stores: Sequence[Store]) -> Var | None:
    """The loop variable along which neighbours are computed at once: where memory is best read and written."""
    elements = list(walk([one for store in stores for one in store.wanted]))
    folds = [one for one in elements if isinstance(one, Fold)]
    candidates = {one: 0.0 for one in domain if one.size > 1}
    if len({one.over for one in folds}) == 1 and not any(one.word.startswith("first") for one in folds):
        candidates.update({one: 0.0 for one in folds[0].over if one.size > 1})
    if not candidates:
        return None
    lanes = lanes_of([store.element for store in stores])
    for lane in candidates:
        candidates[lane] = _cost(lane, domain, stores, elements, lanes)
    best = min(candidates, key=lambda one: (candidates[one], -one.serial))
    return best if best.size >= max(lanes // 4, 2) else None


def _cost(lane: Var, domain: Loops, stores: Sequence[Store], elements: Sequence[Element], lanes: int) -> float:
    """What all points cost with lanes along a variable."""
    used = lane.size / (-(-lane.size // lanes) * lanes)
    total = 0.0
    for one in elements:
        points = prod(each.size for each in one.variables)
        if lane not in one.variables:
            total += points * own_work(one)
        elif isinstance(one, Load):
            step = _step(one.at, lane)
            total += points * (GATHERED / 4 if step is None or step > 1 else 1 / (lanes * used))
        else:
            total += points * own_work(one) / (lanes * used)
        if isinstance(one, Fold) and lane in one.over:
            total += points * 12
    everywhere = prod(each.size for each in domain)
    for store in stores:
        if lane in domain:
            total += everywhere * (1 / (lanes * used) if _step(store.at, lane) == 1 else GATHERED / 4)
        else:
            total += everywhere
    return total


def _step(at: Place, lane: Var) -> int | None:
    """How far neighbouring lanes are apart; None if that varies."""
    own = at.terms.get(lane, 0)
    for term in at.terms:
        if term is not lane and not isinstance(term, Var) and lane in Number(None, Place(0, {term: 1})).variables:  # type: ignore[arg-type]
            return None
    return own


def own_work(element: Element) -> float:
    """What an element costs beside its parts, in additions."""
    if isinstance(element, Apply):
        return COSTS.get(type(element.primitive).__name__, 1)
    return 0 if isinstance(element, Constant) else 1


def point_work(elements: Sequence[Element]) -> float:
    """What the elements of one point cost, in additions, with the loops inside."""
    total = 0.0
    loops = {one: fold.over for fold in walk(elements) if isinstance(fold, Fold) for one in fold.over}
    for one in walk(elements):
        total += own_work(one) * prod(var.size for var in one.variables if var in loops)
    return max(total, 1.0)


def _traffic(stores: Sequence[Store], shape: tuple[int, ...]) -> float:
    """Bytes read and written, if each load's loops cover what they read once."""
    total = float(sum(store.element.dtype.itemsize * count(shape) for store in stores))
    read: dict[Hashable, float] = {}
    for one in walk([store.element for store in stores]):
        if isinstance(one, Load):
            size = one.dtype.itemsize * prod(var.size for var in one.variables)
            read[one.key] = max(read.get(one.key, 0), size)
    return total + sum(read.values())
