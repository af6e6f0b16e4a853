"""What the program's hooks make of gradients, noted while a backward pass halts at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from kadam.lens.capture_join import Ref
from kadam.recording import accumulation
from kadam.recording.backward_pass import BackwardPass
from kadam.recording.step import Recording


class Notes(Protocol):
    """Who is told, and knows where tensors are met."""

    def refer(self, tensor: Any) -> Ref: ...
    def hooked(self, given: Ref, before: Any, after: Any) -> None: ...


@contextmanager
def hooks_noted(notes: Notes) -> Iterator[None]:
    """While this lasts, `notes` is told of each gradient that a tensor's hook has changed, and whose it is."""
    waiting: list[Ref] = []  # of the hooks that are about to be called: whose gradient they get
    halt, accumulate, hooked = BackwardPass._halt, accumulation.accumulate, accumulation.hooked

    def noted_halt(self: Any, region: Any, place: int) -> None:
        waiting[:] = _met(region, place)
        halt(self, region, place)

    def noted_accumulate(leaf: Any, ct: Any, create_graph: bool) -> None:
        waiting[:] = [notes.refer(leaf)] * len(leaf._hooks or ())
        accumulate(leaf, ct, create_graph)

    def noted_hook(hook: Callable[[Any], Any], ct: Any) -> Any:
        after = hooked(hook, ct)
        given = waiting.pop(0) if waiting else None
        if after is not ct and given is not None:
            notes.hooked(given, ct, after)
        return after

    BackwardPass._halt = noted_halt  # type: ignore[method-assign]
    accumulation.accumulate, accumulation.hooked = noted_accumulate, noted_hook
    try:
        yield
    finally:
        BackwardPass._halt = halt  # type: ignore[method-assign]
        accumulation.accumulate, accumulation.hooked = accumulate, hooked


def _met(region: Any, place: int) -> Iterator[Ref]:
    """Whose gradients the hooks of a stop get, in the order in which they are called."""
    owner = region.owner
    stop = owner.stops[place]
    for one in [one for one in stop.places if one in region.arrived]:
        ref = Ref(owner.serial, one) if isinstance(owner, Recording) else Ref(owner.serial, node=one)
        yield from [ref] * len(stop.hooks.get(one, ()))


__all__ = ["hooks_noted"]
