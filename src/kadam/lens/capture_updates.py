"""How a program changes its parameters, and when a step is over by that."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from typing import Any, Protocol

from kadam.ir.graph import Source
from kadam.lens.capture_draft import Draft, RawOptimizer
from kadam.lens.capture_events import line_of
from kadam.lens.capture_join import Ref
from kadam.lens.capture_names import Names
from kadam.lens.step import Setting
from kadam.recording.step import cut
from kadam.recording.tensor import Recorded, has_memory, read
from kadam.recording.watch import Tokens, present


class Observer(Protocol):
    """Who has the step's draft, and knows where tensors are met."""

    draft: Draft
    tokens: Tokens
    names: Names
    origins: weakref.WeakKeyDictionary[Any, Source]

    def here(self) -> bool: ...
    def note(self, kind: str, source: Source | None, name: str = "", **facts: Setting) -> None: ...
    def refer(self, tensor: Any) -> Ref: ...
    def refer_gradient(self, parameter: Any) -> Ref: ...
    def finish(self) -> None: ...


class Updates:
    """What an observer is told of parameters that change, by optimizers or by hand.

    Attributes:
        optimizers: id -> what is known of an optimizer that has stepped.
        stepping: how many steps of optimizers have begun and are not over.
    """

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self.optimizers: dict[int, RawOptimizer] = {}
        self.stepping = 0

    def leaves(self) -> Iterator[Any]:
        """The parameters of the models that were called, those of the optimizers, and those that are met."""
        observer = self.observer
        seen: set[int] = set()
        rec = present()
        groups = [
            *(root.parameters() for known in observer.names.roots if (root := known()) is not None),
            *(owner.parameters() for owner in self.optimizers.values()),
            [] if rec is None else [one for one in rec.feeds if isinstance(one, Recorded)],
            [one() for one in observer.draft.leaves],
        ]
        for group in groups:
            for one in group:
                if one is not None and id(one) not in seen and one._spec.requires_grad and one._spec.grad_name is None:
                    seen.add(id(one))
                    yield one

    def zero_grad(self, source: Source | None, owner: Any) -> None:
        """Gradients are forgotten; if no update has used them, the step ends here."""
        observer = self.observer
        if not observer.here():
            return
        unused = observer.draft.roots and not observer.draft.stepped and not self.stepping
        if unused:
            observer.draft.due = True
            if present() is None:
                observer.finish()
        elif self.stepping and not observer.draft.due:  # a closure begins again
            observer.draft.forgotten = len(observer.draft.roots)
        observer.note("zero_grad", source, type(owner).__name__)

    def replaced(self, source: Source | None, parameter: Any, value: Any) -> None:
        """A parameter's `.data` is set: an update, if gradients were computed."""
        observer = self.observer
        if not observer.here():
            return
        token = observer.tokens.of(parameter)
        observer.note("in_place", source, "data", requires_grad=True, leaf=True, token=token)
        if observer.draft.has_gradients and isinstance(value, Recorded):
            observer.draft.replaced[token] = observer.refer(value)
            self._updated(tuple(parameter._spec.shape))

    def renewed(self, parameter: Any) -> None:
        """A tensor begins to need gradients: after a backward pass that is how a program makes its next weights."""
        observer = self.observer
        if observer.here() and observer.draft.has_gradients and not self.optimizers and parameter._grad is None:
            self._updated(tuple(parameter._spec.shape))
            self.settled()

    def _updated(self, shape: tuple[int, ...]) -> None:
        """A leaf of this shape has its next value: when all that got gradients have, the step is over."""
        draft = self.observer.draft
        if draft.reached is None:
            draft.reached = [tuple(one._spec.shape) for one in self.leaves() if one._grad is not None]
        if shape in draft.reached:
            draft.reached.remove(shape)
        if not draft.reached:
            draft.due = True

    def settled(self) -> None:
        """A leaf has its next value: if it was the last one to get it, the step ends here."""
        observer = self.observer
        if observer.here() and observer.draft.due and not self.stepping:
            rec = present()
            if rec is not None:
                cut(rec)
            elif observer.draft.has_gradients:
                observer.finish()

    def before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """An optimizer's step begins."""
        observer = self.observer
        if not observer.here():
            return
        self.stepping += 1
        raw = self.optimizers.get(id(optimizer))
        if raw is None or raw.owner() is not optimizer:
            raw = self.optimizers[id(optimizer)] = RawOptimizer(weakref.ref(optimizer))
            raw.source = observer.origins.get(optimizer)
        raw.steps += 1
        groups = optimizer.param_groups
        given = [one for group in groups for one in group["params"]]
        facts = {"parameters": len(given), "with_grad": sum(one._grad is not None for one in given)}
        facts["closure"] = any(map(callable, (*args, *kwargs.values())))  # which begins backward passes of its own
        observer.note("optimizer_step", line_of(sys._getframe(1)), type(optimizer).__name__, **facts)
        over = observer.draft.due and id(optimizer) in observer.draft.stepped  # this is the next step already
        if not over:
            self._steps(optimizer, raw)

    def _steps(self, optimizer: Any, raw: RawOptimizer) -> None:
        """Note in this step's draft that an optimizer takes it."""
        observer = self.observer
        draft, groups = observer.draft, optimizer.param_groups
        draft.stepped.add(id(optimizer))
        draft.rates = tuple(_number(group["lr"]) for group in groups if "lr" in group)
        if draft.capturing:
            raw.describe(optimizer, observer.tokens)
            for one in (one for group in groups for one in group["params"]):
                if one._grad is not None:
                    draft.used[observer.tokens.of(one)] = observer.refer_gradient(one)
                    draft.grads.setdefault(observer.tokens.of(one), draft.used[observer.tokens.of(one)])

    def after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """An optimizer's step is over; with the next cut the step is."""
        observer = self.observer
        if not observer.here():
            return
        self.stepping -= 1
        raw = self.optimizers[id(optimizer)]
        if id(optimizer) not in observer.draft.stepped:  # its closure has ended the step before
            self._steps(optimizer, raw)
        if observer.draft.capturing:
            raw.describe(optimizer, observer.tokens)
            for one, remembered in optimizer.state.items():
                if isinstance(one, Recorded) and isinstance(remembered, dict):
                    own = {key: observer.tokens.of(value) for key, value in remembered.items() if _is_memory(value)}
                    observer.draft.memory[observer.tokens.of(one)] = own
        observer.draft.due = True
        observer.draft.ends = len(observer.draft.events), len(observer.draft.calls)
        if present() is None and not self.stepping:
            observer.finish()


def _is_memory(value: Any) -> bool:
    return isinstance(value, Recorded) and has_memory(value)


def _number(value: Any) -> float:
    return float(value if not isinstance(value, Recorded) else read(value).item())


__all__ = ["Updates"]
