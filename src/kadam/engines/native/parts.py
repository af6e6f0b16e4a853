"""Parts: which memory the tasks of a stage touch, so that stages can follow each other part by part."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

from kadam.engines.native.element import Element, Load, Test, walk
from kadam.engines.native.loops import Store
from kadam.engines.native.stage import Touch
from kadam.engines.native.target import host
from kadam.ir.place import Division, Place, Term, Var

ANYWHERE = Touch(0, 0, 0, False)
ANYWHERE_WRITTEN = Touch(0, 0, 0, True)


def parts() -> int:
    """Into how many parts a step falls: one for each core, whatever number of threads there is to be."""
    return host().cores


def touches(
    buffers: Sequence[Hashable], lead: Mapping[Var, int], stores: Iterable[Store], also: Iterable[Load] = ()
) -> tuple[Touch, ...]:
    """What a range of tasks touches of each buffer.

    Args:
        buffers: of the kernel.
        lead: the variable that ranges of tasks move along, and by how much.
        stores: what the kernel computes and stores.
        also: what else it reads.
    """
    found: dict[Hashable, Touch] = {}

    def note(key: Hashable, touch: Touch) -> None:
        found[key] = _both(found[key], touch) if key in found else touch

    stores = list(stores)
    elements = list(walk([one for store in stores for one in store.wanted]))
    for one in (*(one for one in elements if isinstance(one, Load)), *also):
        note(one.key, _touch(one.at, one.dtype.itemsize, lead, one.guard, writes=False))
    for store in stores:
        note(store.key, _touch(store.at, store.element.dtype.itemsize, lead, None, writes=True))
    return tuple(found.get(key, ANYWHERE_WRITTEN) for key in buffers)


def _both(a: Touch, b: Touch) -> Touch:
    writes = a.writes or b.writes
    if a.stride != b.stride or not a.stride:
        return ANYWHERE_WRITTEN if writes else ANYWHERE
    return Touch(a.stride, min(a.low, b.low), max(a.high, b.high), writes)


def _touch(at: Place, itemsize: int, lead: Mapping[Var, int], guard: Element | None, *, writes: bool) -> Touch:
    """What a range touches by one load or store."""
    at, bounds = _guarded(at, guard)
    ((var, step),) = lead.items()
    own = at.terms.get(var, 0)
    rest = Place(at.constant, {term: factor for term, factor in at.terms.items() if term is not var})
    if own <= 0 or any(_depends(term, var) for term in rest.terms):
        return ANYWHERE_WRITTEN if writes else ANYWHERE
    low, high = rest.bounds
    low, high = low + bounds[0], high + bounds[1] + own * (step - 1) + 1
    return Touch(own * step * itemsize, low * itemsize, high * itemsize, writes)


def _guarded(at: Place, guard: Element | None) -> tuple[Place, tuple[int, int]]:
    """A place without what its guard bounds, and those bounds."""
    if not isinstance(guard, Test) or guard.step:
        return at, (0, 0)
    terms = guard.at.terms
    if not terms:
        return at, (0, 0)
    factors = {at.terms.get(term, 0) // factor for term, factor in terms.items()}
    if len(factors) != 1 or any(at.terms.get(term, 0) % factor for term, factor in terms.items()):
        return at, (0, 0)
    (factor,) = factors
    ends = sorted((factor * guard.low, factor * (guard.high - 1)))
    return at - guard.at * factor, (ends[0], ends[1])


def _depends(term: Term, var: Var) -> bool:
    if isinstance(term, Var):
        return False
    if isinstance(term, Division):
        return var in term.place.terms or any(_depends(one, var) for one in term.place.terms)
    return True  # data decide
