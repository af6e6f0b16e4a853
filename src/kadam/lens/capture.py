"""Capturing: a program runs, and its steps are noted as they are cut.

The observer stands between the recording, which it asks, and the lens, to which it hands steps and records. It holds no
tensor: what nobody else holds is not computed.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from threading import get_ident
from typing import Any

import numpy as np

from kadam.autograd import function
from kadam.ir.graph import Source
from kadam.ir.types import TensorType
from kadam.lens.capture_draft import Draft, RawCall
from kadam.lens.capture_events import event, line_of, noted
from kadam.lens.capture_hooks import hooks_noted
from kadam.lens.capture_inputs import quantiles_at_hand
from kadam.lens.capture_join import Ref
from kadam.lens.capture_names import Names
from kadam.lens.capture_origins import origins_noted
from kadam.lens.capture_summary import Summaries
from kadam.lens.capture_updates import Updates
from kadam.lens.step import Event, Fault, Setting, Step, StepRecord
from kadam.recording.backward_pass import BackwardPass
from kadam.recording.modes import is_grad_enabled, no_grad
from kadam.recording.step import Recording, cut, state
from kadam.recording.tensor import Recorded, has_memory
from kadam.recording.watch import Snapshot, Tokens, deliver, place_of, present, snapshot, survivors
from kadam.sparse.tensor import SparseTensor

EARLIER = 8  # recordings of the step before that are at hand, for a backward pass that goes through them
LOOKS = 16  # how often in a step it is noted what the program's frames call their tensors
_INNER = 0, 0
LONGEST = 256  # backward passes or recordings without an update, after which a step is over all the same


class Observer:
    """Watches this thread.

    Args:
        wants: whether a step (by its index) is captured whole.
        keep: asked at the end of each step, which is then captured in any case: whether it is handed on.
        on_step: is handed the record of each step, and the step if it was captured.
        summaries: whether each step is summarised.
    """

    def __init__(
        self,
        wants: Callable[[int], bool],
        on_step: Callable[[StepRecord, Step | None], None],
        keep: Callable[[StepRecord], bool] | None = None,
        summaries: bool = True,
    ) -> None:
        self.wants, self.keep, self.on_step = wants, keep, on_step
        self.tokens = Tokens()
        self.origins: weakref.WeakKeyDictionary[Any, Source] = weakref.WeakKeyDictionary()
        self.factories: dict[int, Source | None] = {}
        self.names = Names(self.tokens)
        self.summaries = Summaries(self.names) if summaries else None
        self.updates = Updates(self)
        self.thread = get_ident()
        self.busy = False
        self.calling: list[tuple[Any, RawCall | None, tuple[int, int]]] = []
        self.sweeping = False
        self.passes: dict[int, int] = {}
        self.loader_now: int | None = None
        self.batch = 0
        self.index = 0
        self.failed_in = ""
        self.failure: BaseException | None = None
        self.draft = self._new_draft()

    def _new_draft(self) -> Draft:
        return Draft(self._captures(self.index), self._captures(self.index + 1))

    def _captures(self, index: int) -> bool:
        return self.keep is not None or self.wants(index)

    @property
    def _notes_calls(self) -> bool:
        """Whether calls of modules are noted: they may begin the next step before its first recording has begun."""
        if self.draft.capturing or self.draft.preparing:
            return True
        rec = present()
        return (self.draft.due or (rec is not None and rec.ending)) and self._captures(self.index + 1)

    # --- what the recording tells ----------------------------------------------------------------------------------

    def takes(self, rec: Recording) -> bool:
        """A recording is about to be cut: look at it, cut it, look at what came of it."""
        here = rec.here
        if self.busy or rec is not state.rec or here.parent is None or len(rec.created) != here.created:
            return False
        self.busy = True
        draft = self.draft
        try:
            changes = self._changes_parameters(rec)
            summary = None if self.summaries is None else self.summaries.add(rec, draft)

            taken = self._taken(rec) if draft.capturing or draft.preparing else None
            waiting = [] if taken is None else survivors(rec, taken)
            try:
                cut(rec)
            except BaseException as failure:
                if taken is not None:
                    taken.failure = failure
                raise
            finally:
                if taken is not None:
                    deliver(taken, waiting, self.tokens)
                    draft.snapshots.append(taken)
                    del draft.snapshots[:-LONGEST]
            if summary is not None:
                summary.take(draft)
        finally:
            self.busy = False
        # A step that is due ends here, even if it is a closure of the next one that reads what it has updated.
        if draft.due or (not self.updates.stepping and changes and draft.has_gradients):
            self.finish()
        return True

    def _changes_parameters(self, rec: Recording) -> bool:
        return rec.ending and any(one._spec.requires_grad for tensors in rec.writes for one in tensors)

    def _taken(self, rec: Recording) -> Snapshot:
        taken = snapshot(rec, self.tokens)
        if taken.active:
            self._look_around(sys._getframe(2))
        taken.sweeps = tuple(self.draft.sweeps.pop(rec.serial, ()))
        self.draft.leaves += [weakref.ref(feed) for feed, fed in zip(rec.feeds, taken.fed, strict=False) if fed.leaf]
        return taken

    def _look_around(self, frame: Any) -> None:
        """Note what the program's frames call their tensors, as long as the step has met little."""
        if self.draft.looks < LOOKS:
            self.draft.looks += 1
            self.names.look_around(frame)
            self.names.refresh()

    def refer(self, tensor: Any) -> Ref:
        """Where a tensor is met now."""
        place, rec = place_of(tensor), present()
        if place is not None:
            return Ref(*place)
        return Ref(state.serial if rec is None else rec.serial, token=self.tokens.of(tensor))  # as it was before that

    def refer_gradient(self, parameter: Any) -> Ref:
        """Where a parameter's gradient is met now; a sparse one is met whole."""
        return self.refer(_whole(parameter._grad))

    # --- what the program's calls tell -----------------------------------------------------------------------------

    def here(self) -> bool:
        """Whether it is the program that calls, in the thread that is watched."""
        return not self.busy and get_ident() == self.thread

    def note(self, kind: str, source: Source | None, name: str = "", **facts: Setting) -> None:
        """Any event."""
        if self.here():
            self.draft.events.append(event(kind, source, name, **facts))

    def backward(self, source: Source | None, roots: list[Any], gradients: list[Any]) -> None:
        """A backward pass begins; where the program gives no gradient to begin with, there is None."""
        if not self.here() or not roots:
            return
        root = roots[0]
        self.note("backward", source, _shown(root._spec.type), grad_fn=root._spec.grad_name)
        if self.draft.capturing:
            self.names.look_around(sys._getframe(1))
            self.names.refresh()
        ref = self.refer(root)
        self.sweeping = True
        self.draft.seeds.update(
            (place, np.array(one._array) if has_memory(one) else self.refer(one))
            for place, one in enumerate(gradients, start=len(self.draft.roots))
            if isinstance(one, Recorded) and self.draft.capturing
        )
        self.draft.roots += [ref, *map(self.refer, roots[1:])]
        if ref.token and root._array is not None and root._array.size == 1:
            self.draft.loss = float(root._array.reshape(())[()])
        if len(self.draft.roots) > LONGEST:
            self.draft.due = True

    def after_backward(self) -> None:
        """It is over."""
        if not self.here():
            return
        self.sweeping = False
        if self.summaries is not None:
            self.summaries.note_gradients(self.draft)
        if self.draft.capturing:
            for parameter in self.updates.leaves():
                if parameter._grad is not None:
                    self.draft.grads[self.tokens.of(parameter)] = self.refer_gradient(parameter)

    def before_call(self, module: Any, args: tuple[Any, ...]) -> None:
        """A module's forward pass begins."""
        if self.busy or get_ident() != self.thread:
            return
        depth = len(self.calling)
        noting = self._notes_calls
        if depth and not noting:
            self.calling.append((module, None, _INNER))
            return
        frame = sys._getframe(1)
        root = self.names.root(module, frame) if depth == 0 else 0
        source = line_of(frame) if depth == 0 or noting else None
        begun = len(self.draft.events), len(self.draft.calls)
        if depth == 0:
            facts = {"training": module.training, "grad": is_grad_enabled(), "root": root}
            first = args[0] if args and isinstance(args[0], Recorded) else next(_tensors(args), None)
            facts["input"] = 0 if first is None else self.tokens.of(first)
            facts["memory"] = 0 if first is None else self.tokens.of(first.root)
            if not (module.training and is_grad_enabled()):  # what is trained with, captured steps show
                facts["spread"] = quantiles_at_hand(first)
            self.draft.events.append(event("forward", source, type(module).__name__, **facts))
        call = None
        if noting:
            root = self.names.root(self.calling[0][0], frame) if depth else root
            path = self.names.path(self.calling[0][0] if depth else module, module)
            call = RawCall(
                path,
                type(module).__name__,
                module.extra_repr(),
                module.training,
                is_grad_enabled(),
                depth,
                source,
                root,
                self.origins.get(module),
            )
            call.inputs = [self.refer(one) for one in _tensors(args)]
            self.draft.calls.append(call)
            if depth == 0:
                self._look_around(frame)
        self.calling.append((module, call, begun))

    def after_call(self, module: Any, args: tuple[Any, ...], output: Any) -> None:
        """It is over, perhaps by an error."""
        if self.busy or get_ident() != self.thread:
            return
        calling = self.calling
        if output is not None and calling and calling[-1][0] is module and calling[-1][1] is None:
            calling.pop()
            return
        error = sys.exc_info()[1]
        if error is not None and error is not self.failure and self.calling:
            self.failure, self.failed_in = error, self.names.path(self.calling[0][0], module)
        while self.calling:
            one, call, _ = self.calling.pop()
            if one is module:
                if call is not None:
                    call.outputs = [self.refer(tensor) for tensor in _tensors(output)]
                return

    def loader(self, source: Source | None, loader: Any) -> None:
        """A pass over a DataLoader begins."""
        if not self.here():
            return
        self.passes[id(loader)] = self.passes.get(id(loader), 0) + 1
        self.loader_now, self.batch = id(loader), 0
        facts = {"batch_size": loader.batch_size, "sampler": type(getattr(loader, "sampler", None)).__name__}
        made = self.origins.get(loader)
        facts["made"] = None if made is None else str(made)
        self.note("loader", source, type(loader).__name__, **facts)

    def swept(self, history: Any) -> None:
        """A backward pass has gone through an earlier recording."""
        rec = present()
        if rec is not None and self.draft.capturing and rec.here.nodes:
            span = (rec.here.nodes[0].id, rec.here.nodes[-1].id + 1, history.serial)
            self.draft.sweeps.setdefault(rec.serial, []).append(span)

    def delivered(self, function: str, arguments: Sequence[Any], gradients: Any) -> None:
        """A function with a derivative of its own has found the gradients of its arguments."""
        if not (self.here() and self.sweeping and self.draft.capturing):
            return
        found = gradients if isinstance(gradients, list | tuple) else [gradients]
        for given, ct in zip(arguments, found, strict=False):
            if isinstance(given, Recorded) and isinstance(ct, Recorded | SparseTensor) and given._spec.requires_grad:
                self.draft.delivered.append((function, self.refer(given), self.refer(_whole(ct))))

    def hooked(self, given: Ref, before: Any, after: Any) -> None:
        """A hook of a tensor's has made another gradient of it."""
        if self.here() and self.sweeping and self.draft.capturing:
            self.draft.hooked.append((given, self.refer(before), self.refer(after)))

    # --- what comes of it ------------------------------------------------------------------------------------------

    def finish(self, fault: Fault | None = None) -> None:
        """The step is over: hand it on, and begin the next."""
        draft = self.draft
        events, calls = self._split(draft)
        epoch = None if self.loader_now is None else self.passes[self.loader_now] - 1
        batch = None if self.loader_now is None else self.batch
        record = draft.record(self.index, epoch, batch)
        step = None
        if draft.capturing and (self.keep is None or self.keep(record) or self.wants(self.index) or fault):
            step = draft.step(self.index, epoch, batch, self.names, list(self.updates.optimizers.values()), fault)
        self.index += 1
        self.batch += 1
        self.draft = self._new_draft()
        self.draft.events += events
        if self.draft.capturing or self.draft.preparing:
            self.draft.calls += calls
        if self.draft.capturing:
            self.draft.earlier = [one for one in draft.snapshots if one.active][-EARLIER:]
            self.draft.earlier_calls = draft.calls
        self.on_step(record, step)

    def _split(self, draft: Draft) -> tuple[list[Event], list[RawCall]]:
        """Take from a step what belongs to the next: what came after the update, or calls that have only begun."""
        begun = self.calling[0][2] if self.calling else (len(draft.events), len(draft.calls))
        events, calls = draft.ends or begun
        self.calling = [(module, call, (0, 0)) for module, call, _ in self.calling]
        later = draft.events[events:], draft.calls[calls:]
        del draft.events[events:], draft.calls[calls:]
        return later

    def end(self, fault: Fault | None = None) -> Step | None:
        """The program is over: what it was in is a step of its own, if it was fed forward or had failed."""
        rec, draft = present(), self.draft
        if fault is not None:
            return self._partial(rec, fault)
        if rec is not None:
            cut(rec)
        if self.draft is draft and (draft.has_gradients or not self.index) and draft.has_forward:
            self.finish()
        return None

    def _partial(self, rec: Recording | None, fault: Fault) -> Step:
        """What was recorded of the step in which the program has failed."""
        draft = self.draft
        if rec is not None and len(rec.created) == rec.here.created:
            if not draft.capturing:
                draft.snapshots.clear()
            draft.capturing = True
            draft.snapshots.append(self._taken(rec))
        return draft.step(self.index, None, None, self.names, list(self.updates.optimizers.values()), fault)


@cache
def _shown(kind: TensorType) -> str:
    return str(kind)


def _whole(gradient: Any) -> Any:
    """A gradient with all its elements, which a sparse one leaves out."""
    if isinstance(gradient, Recorded):
        return gradient
    with no_grad():
        return gradient.to_dense()


def _tensors(value: Any) -> Iterator[Any]:
    """The tensors in a structure of lists, tuples and dicts."""
    if isinstance(value, Recorded):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _tensors(one)


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """While this lasts, the observer watches this thread. What was recorded before is no part of what it sees."""
    rec = present()
    if rec is not None and state.watcher is None:
        cut(rec)
    through_history = BackwardPass._through_history

    def noted_sweep(self: Any, history: Any, *rest: Any) -> Any:
        reached = through_history(self, history, *rest)
        observer.swept(history)
        return reached

    functions: Any = function
    deliver = functions._deliver

    def noted_delivery(cls: Any, arguments: Any, gradients: Any, *rest: Any) -> None:
        observer.delivered(cls.__name__, arguments, gradients)
        deliver(cls, arguments, gradients, *rest)

    keep = BackwardPass.keep

    def noted_keeping(self: Any, table: Any, gradient: Any) -> None:
        if isinstance(gradient, SparseTensor):  # of rows that were looked up: the graph does not lead to the table
            observer.delivered("embedding", (table,), (gradient,))
        keep(self, table, gradient)

    outer, state.watcher = state.watcher, observer
    BackwardPass.keep = noted_keeping  # type: ignore[assignment, method-assign]
    BackwardPass._through_history = noted_sweep  # type: ignore[assignment, method-assign]
    functions._deliver = noted_delivery
    try:
        with noted(observer), origins_noted(observer), hooks_noted(observer):
            yield
    finally:
        BackwardPass.keep = keep  # type: ignore[method-assign]
        BackwardPass._through_history = through_history  # type: ignore[method-assign]
        functions._deliver = deliver
        state.watcher = outer


__all__ = ["Observer", "observed"]
