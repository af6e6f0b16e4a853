"""Where a loss that is no number came from: the run is played again up to that step, and looked at module by module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.errors import KadamError
from kadam.nn.modules.module import Module
from kadam.recording.modes import no_grad
from kadam.recording.tensor import read
from kadam.tensor import Tensor
from kadam.train import snapshot

if TYPE_CHECKING:
    from kadam.train.run import Run


class NonFiniteLoss(KadamError, FloatingPointError):  # noqa: N818  (it says what it is)
    """A loss that became nan or infinite.

    Attributes:
        step: the step that had it, counted from 1.
        module: the first module whose output was not finite, where that could be found.
        checkpoint: the file to go on from; None without a folder.
    """

    step: int
    module: str | None
    checkpoint: str | None


def report(run: Run, batch: Any, step: int, value: float) -> None:
    """End the run with what can be said of the step.

    Raises:
        NonFiniteLoss: always.
    """
    folder = run.folder
    saved = folder.saved() if folder is not None else []
    epoch = run.place.epoch + 1
    module, found = None, in_data(batch)
    if saved:
        module, traced = _traced(run, step)
        found = found or traced
    fix = "a lower learning rate or clip_norm=1.0; see whether the data holds nan or huge values"
    kept = "No checkpoint could be written."
    if saved:
        kept = f"The model stands as before that step; {saved[0]} is the last good checkpoint."
    elif folder is None:
        kept = "With fit(folder=...) the last good weights would have been kept, and the module would be named here."
    where = found or _of_parameters(run.trainer.model)
    error = NonFiniteLoss(
        f"fit: the loss became {value} at step {step} (epoch {epoch}).{where}\n  {kept}\n  Fix: {fix}."
    )
    error.step, error.module, error.checkpoint = step, module, str(saved[0]) if saved else None
    raise error


def _traced(run: Run, step: int) -> tuple[str | None, str]:
    """Play the run again from its last checkpoint up to that step, and find what first was not finite in it."""
    assert run.folder is not None
    content = run.folder.newest()
    if content is None or content["place"]["step"] >= step:
        return None, ""
    snapshot.restored(run, content)
    batch = run.replay(step)
    return first_of(run.trainer, batch)


def first_of(trainer: Any, batch: Any) -> tuple[str | None, str]:
    """The first module whose output for this batch is not finite, and a sentence about it."""
    found: list[tuple[str, str]] = []
    handles = [
        module.register_forward_hook(_watch(name or type(module).__name__, found))
        for name, module in trainer.model.named_modules()
    ]
    try:
        with no_grad():
            trainer.forward(batch)
    finally:
        for handle in handles:
            handle.remove()
    if found:
        name, kind = found[0]
        return name, f"\n  It began in module {name!r} ({kind}): the first whose output was not finite."
    return None, "\n  All modules gave finite outputs: the loss function itself made it."


def in_data(batch: Any) -> str:
    """A sentence about the first number of a batch that is not finite; empty if all are."""
    for name, entry in _entries(batch):
        if isinstance(entry, Tensor) and entry.is_floating_point():
            bad = ~np.isfinite(read(entry.detach())).reshape(entry.shape[0] if entry.ndim else 1, -1).all(1)
            if bad.any():
                return f"\n  The data holds it: {name} of that batch is not finite in row {int(bad.argmax())}."
    return ""


def _entries(batch: Any) -> Iterator[tuple[str, Any]]:
    """The tensors of a batch, and what to call them."""
    entries = batch if isinstance(batch, list | tuple) else [batch]
    for index, entry in enumerate(entries):
        if isinstance(entry, dict):
            yield from ((f"input {name!r}", one) for name, one in entry.items())
        else:
            yield "the target" if index and index == len(entries) - 1 else f"input {index}", entry


def _watch(name: str, found: list[tuple[str, str]]) -> Any:
    def look(module: Module, inputs: Any, output: Any) -> None:
        for one in output if isinstance(output, list | tuple) else [output]:
            if isinstance(one, Tensor) and one.is_floating_point() and not np.isfinite(read(one.detach())).all():
                found.append((name, type(module).__name__))
                return

    return look


def _of_parameters(model: Module) -> str:
    """What the weights tell when nothing else is left."""
    bad = [name for name, one in model.named_parameters() if not np.isfinite(read(one.detach())).all()]
    return f"\n  Not finite by now: {', '.join(bad[:4])}{' ...' if len(bad) > 4 else ''}." if bad else ""
