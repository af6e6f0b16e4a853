"""`kadam.lens.watch` and `kadam.lens.capture`: steps of a running program, for whoever wants to look at them."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import kadam
from kadam.errors import KadamError
from kadam.ir.graph import Source
from kadam.lens.capture import Observer, observed
from kadam.lens.capture_events import is_users
from kadam.lens.step import Event, Fault, Step, StepRecord
from kadam.recording.place import shown

MOST = 16  # steps that "spread" keeps
OF_PYTORCH = (
    "kadam.lens.watch saw no training step: this program's `torch` is PyTorch itself, whose steps Kadam does not see. "
    "Fix: run it with `kadam run`, or write `import kadam as torch`."
)
Wanted = str | Collection[int] | Callable[[int], bool]


class WatchError(KadamError, TypeError):
    """What was given to `watch` names no steps."""


@dataclass
class Watched:
    """What was seen of a program.

    Attributes:
        steps: index -> step, for those that were captured.
        records: of every step.
        after: what the program did after the last step.
        partial: what was recorded of the step in which the program failed.
        code: the program's exit code.
        error: what it failed with.
    """

    steps: dict[int, Step] = field(default_factory=dict)
    records: list[StepRecord] = field(default_factory=list)
    after: tuple[Event, ...] = ()
    partial: Step | None = None
    code: int = 0
    error: BaseException | None = None

    @property
    def last(self) -> Step | None:
        """The last step that was captured."""
        return self.steps[max(self.steps)] if self.steps else None


class _Spread:
    """Wants steps evenly over a program whose length nobody knows: the first few, then ever fewer."""

    def __init__(self) -> None:
        self.stride = 1

    def __call__(self, index: int) -> bool:
        return index % self.stride == 0

    def thin(self, steps: dict[int, Step]) -> None:
        """Drop every second one if there are too many."""
        while len(steps) > MOST:
            self.stride *= 2
            for index in [one for one in steps if one % self.stride]:
                del steps[index]


def _thin(steps: dict[int, Step], most: int) -> None:
    """Drop steps where they stand closest, until few are left."""
    while len(steps) > max(most, 2):
        known = sorted(steps)
        gaps = {known[place]: known[place + 1] - known[place - 1] for place in range(1, len(known) - 1)}
        del steps[min(gaps, key=lambda index: gaps[index])]


def watch(
    steps: Wanted = "spread",
    *,
    keep: Callable[[StepRecord], bool] | None = None,
    on_step: Callable[[StepRecord, Step | None], None] | None = None,
    summaries: bool = True,
    most: int | None = None,
) -> AbstractContextManager[Watched]:
    """Watch the training steps inside: `with kadam.lens.watch() as seen:` around a training loop.

    Args:
        steps: which are captured whole: indices, a function of the index, or "spread": the first ones, then ever fewer,
            so that at the end at most 16 are spread evenly over the run. `()` captures none.
        keep: asked at the end of every step, which costs capturing each: whether to keep it whole.
        on_step: called at the end of every step.
        summaries: whether the records hold norms of activations, gradients and updates.
        most: how many captured steps stay in memory, the first and the last among them; None for all.

    Raises:
        WatchError: `steps` names no steps; it is a model, for example.
    """
    _look_at(steps)
    return _watching(steps, keep, on_step, summaries, most)


def _look_at(steps: object) -> None:
    """Refuse what names no steps."""
    names_some = callable(steps) or (isinstance(steps, Collection) and not isinstance(steps, str))
    if steps == "spread" or (names_some and not hasattr(steps, "named_parameters")):
        return
    given = f"the string {steps!r}" if isinstance(steps, str) else f"an object of class {type(steps).__name__}"
    raise WatchError(
        f"watch(): its first argument tells which steps to capture, and is {given}. It watches every model that trains "
        "inside it, and takes none. Fix: `with kadam.lens.watch() as seen:` around the training loop, or steps={0, 9}."
    )


@contextmanager
def _watching(
    steps: Wanted,
    keep: Callable[[StepRecord], bool] | None,
    on_step: Callable[[StepRecord, Step | None], None] | None,
    summaries: bool,
    most: int | None,
) -> Iterator[Watched]:
    seen, spread = Watched(), _Spread() if steps == "spread" else None
    telling = [False]
    wants: Any = spread or (steps if callable(steps) else frozenset(steps).__contains__)

    def note(record: StepRecord, step: Step | None) -> None:
        seen.records.append(record)
        if step is not None:
            seen.steps[step.index] = step
        if spread is not None:
            spread.thin(seen.steps)
        if most is not None:
            _thin(seen.steps, most)
        if on_step is not None:
            telling[0] = True  # and stays so if it ends the program
            on_step(record, step)
            telling[0] = False

    def finish() -> None:
        observer.end()
        seen.after = tuple(observer.draft.events)
        if not seen.records and _is_pytorch_there():
            warnings.warn(OF_PYTORCH, stacklevel=4)

    observer = Observer(wants, note, keep, summaries)
    try:
        with observed(observer):
            try:
                yield seen
            except SystemExit:
                if not telling[0]:  # the program's own end
                    finish()
                raise
            finish()
    except Exception as error:
        seen.error = error
        seen.partial = observer.end(_fault(error, observer.failed_in))
        raise


def _is_pytorch_there() -> bool:
    """Whether the program has PyTorch's own `torch`."""
    there = getattr(sys.modules.get("torch"), "__file__", None)
    return there is not None and there != kadam.__file__


def _fault(error: BaseException, scope: str) -> Fault:
    line = None
    for frame, number in traceback.walk_tb(error.__traceback__):
        if is_users(frame) and not frame.f_code.co_filename.startswith("<frozen"):
            line = Source(shown(frame.f_code.co_filename), number)
    return Fault(type(error).__name__, str(error), line, scope)


def capture(
    program: str,
    arguments: Sequence[str] = (),
    *,
    is_module: bool = False,
    steps: Wanted = "spread",
    keep: Callable[[StepRecord], bool] | None = None,
    on_step: Callable[[StepRecord, Step | None], None] | None = None,
    summaries: bool = True,
    most: int | None = None,
) -> Watched:
    """Run a script unmodified, as `kadam run` does, and watch it. The arguments are those of `watch`.

    An error of the program's is shown as always; `error`, `code` and `partial` tell of it.
    """
    from kadam import script

    run = script.run_module if is_module else script.run_file
    observer_of: list[Watched] = []

    @contextmanager
    def around() -> Iterator[None]:
        with watch(steps, keep=keep, on_step=on_step, summaries=summaries, most=most) as seen:
            observer_of.append(seen)
            yield

    try:
        with script.as_guest():
            code = run(program, arguments, around=around)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    seen = observer_of[0] if observer_of else Watched()
    seen.code = code
    return seen
