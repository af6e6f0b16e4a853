"""Spans of a program, measured between the lines where it opens and closes them.

Kadam computes a step when one of its values is read, not line by line: the time of the step is in the span that reads.
Where the time goes inside a compiled step, `kadam run --profile` shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from enum import Enum
from functools import wraps
from types import TracebackType
from typing import Any, Self, TypeVar

from kadam.profiler.averages import Averages, Span, averages_of
from kadam.profiler.trace import write_trace

Function = TypeVar("Function", bound=Callable[..., Any])
_active: list[profile] = []


class ProfilerActivity(Enum):
    """What may be measured; Kadam computes on the CPU."""

    CPU = 0
    XPU = 1
    CUDA = 2
    MTIA = 3
    HPU = 4
    PrivateUse1 = 5


class ProfilerAction(Enum):
    """What a profile does in a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], ProfilerAction]:
    """What to do in which step: nothing in `wait` steps, settle in `warmup` steps, record `active` steps, and again.

    Args:
        repeat: how many such cycles; 0: until the end.
        skip_first: steps before the first cycle.
        skip_first_wait: whether the first cycle does not wait.
    """

    def action(step: int) -> ProfilerAction:
        step -= skip_first
        if step < 0:
            return ProfilerAction.NONE
        step += wait if skip_first_wait else 0
        length = wait + warmup + active
        place = step % length
        if (repeat and step // length >= repeat) or place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if place < length - 1 else ProfilerAction.RECORD_AND_SAVE

    return action


class profile:  # noqa: N801  (PyTorch's name)
    """Records the spans that `record_function` opens in its block, and each step.

    Args:
        activities: accepted: what is measured is the time of the CPU.
        schedule: what to do in which step; everything is recorded by default.
        on_trace_ready: is called with the profile when a cycle of the schedule, or the block, ends.
        options: accepted, without effect.
    """

    def __init__(
        self,
        activities: Iterable[Any] | None = None,
        *,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[Any], Any] | None = None,
        **options: Any,
    ) -> None:
        self.schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self.on_trace_ready = on_trace_ready
        self.step_num = 0
        self._spans: list[Span] = []
        self._start_ns = self._step_ns = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin."""
        self._start_ns = self._step_ns = time.perf_counter_ns()
        _active.append(self)

    def stop(self) -> None:
        """End."""
        _active.remove(self)
        if self._records and self.on_trace_ready is not None:
            self.on_trace_ready(self)

    @property
    def _records(self) -> bool:
        return self.schedule(self.step_num) in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)

    def step(self) -> None:
        """Say that a step of the program is over."""
        self.add(f"ProfilerStep#{self.step_num}", self._step_ns)
        saves = self.schedule(self.step_num) is ProfilerAction.RECORD_AND_SAVE
        self.step_num += 1
        if saves and self.on_trace_ready is not None:
            self.on_trace_ready(self)
            self._spans = []
        self._step_ns = time.perf_counter_ns()

    def add(self, name: str, since_ns: int) -> None:
        """Note a span that ends now, if this step is recorded."""
        if self._records:
            now_ns = time.perf_counter_ns()
            self._spans.append(Span(name, (since_ns - self._start_ns) / 1e3, (now_ns - self._start_ns) / 1e3))

    def events(self) -> list[Span]:
        """The spans, in the order in which they ended."""
        return list(self._spans)

    def key_averages(self, *options: Any, **named_options: Any) -> Averages:
        """The spans by name."""
        return averages_of(self._spans)

    def export_chrome_trace(self, path: str) -> None:
        """Write the spans to a file that browsers draw."""
        write_trace(path, self._spans)


class record_function:  # noqa: N801  (PyTorch's name)
    """A span with a name: a block, or as a decorator a function."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self._start_ns = 0

    def __enter__(self) -> Self:
        self._start_ns = time.perf_counter_ns()
        return self

    def __exit__(self, *exception: object) -> None:
        for one in _active:
            one.add(self.name, self._start_ns)

    def __call__(self, function: Function) -> Function:
        @wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name):
                return function(*args, **kwargs)

        return called  # type: ignore[return-value]
