"""Backward passes that are looked at step by step, for the first derivative that is no number. As PyTorch's mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kadam.errors import GradientError
from kadam.ir.graph import Source
from kadam.recording import backprop
from kadam.recording.backward_pass import BackwardPass, Region
from kadam.recording.history import History
from kadam.recording.step import Recording, cut, state
from kadam.recording.sweep import Places
from kadam.recording.tensor import Recorded
from kadam.recording.trail import TrailNode
from kadam.recording.view import up_to_date
from kadam.recording.way import toward


class Mode:
    """Whether backward passes are looked at.

    Attributes:
        on: `set_detect_anomaly` or `detect_anomaly` is in force.
        checks: NaN is looked for (`check_nan`).
    """

    on = False
    checks = True


mode = Mode()


class set_detect_anomaly:  # noqa: N801  (PyTorch's name)
    """Whether a backward pass raises at the first derivative that is NaN; a function, or a context to leave again.

    Such a pass is slower: the cotangent of every node is kept and read.
    """

    def __init__(self, mode: bool = True, check_nan: bool = True) -> None:
        self.before = _set(mode, check_nan)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exception: object) -> None:
        _set(*self.before)


class detect_anomaly:  # noqa: N801  (PyTorch's name)
    """A context in which a backward pass raises at the first derivative that is NaN."""

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        self.before: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        self.before.append(_set(True, self.check_nan))

    def __exit__(self, *exception: object) -> None:
        _set(*self.before.pop())


def _set(on: bool, checks: bool) -> tuple[bool, bool]:
    before = mode.on, mode.checks
    mode.on, mode.checks = on, checks
    return before


def set_anomaly_enabled(enabled: bool, check_nan: bool = True) -> None:
    """`set_detect_anomaly`, as a function alone."""
    _set(enabled, check_nan)


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on."""
    return mode.on


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly detection looks for NaN."""
    return mode.checks


def backward(
    roots: Sequence[Recorded],
    cts: Sequence[Recorded | None],
    retain: bool,
    create_graph: bool,
    inputs: Sequence[Recorded] | None = None,
) -> None:
    """`backprop.backward`, looked at if the mode asks for it."""
    if not looks():
        backprop.backward(roots, cts, retain, create_graph, inputs)
        return
    work = _ran(roots, cts, retain, create_graph, inputs)
    backprop.accumulate_found(work, inputs)


def gradients(
    roots: Sequence[Recorded],
    cts: Sequence[Recorded | None],
    inputs: Sequence[Recorded],
    retain: bool,
    create_graph: bool,
) -> list[Recorded | None]:
    """`backprop.gradients`, looked at if the mode asks for it."""
    if not looks() or not all(up_to_date(one)._spec.requires_grad for one in inputs):
        return backprop.gradients(roots, cts, inputs, retain, create_graph)
    work = _ran(roots, cts, retain, create_graph, inputs)
    return backprop.found_for(inputs, work)


def looks() -> bool:
    """Whether backward passes are to be looked at."""
    return mode.on and mode.checks


def _ran(
    roots: Sequence[Recorded],
    cts: Sequence[Recorded | None],
    retain: bool,
    create_graph: bool,
    inputs: Sequence[Recorded] | None,
) -> CheckedPass:
    for root, ct in zip(roots, cts, strict=True):
        backprop.check_root(root, ct)
    if state.rec is not None:
        cut(state.rec)
    work = CheckedPass(create_graph, retain, inputs)
    work.sweep_from(roots, cts)
    return work


class CheckedPass(BackwardPass):
    """A backward pass that reads what each call of a recording hands on, before it leaves the recording.

    Raises:
        GradientError: a derivative is NaN.
    """

    halted: str | None = None

    def _go(self, region: Region) -> None:
        if isinstance(region.owner, Recording):  # its calls are known one by one when it is closed
            cut(region.owner)
            self._follow(region, region.owner)
        super()._go(region)

    def _halt(self, region: Region, place: int) -> None:
        if isinstance(region.owner, History) and region.owner.stops[place].function is not None:
            self.halted = _names(region.owner.end)[place]
        try:
            super()._halt(region, place)
        finally:
            self.halted = None

    def deliver(
        self, tensor: Recorded, ct: Recorded | None, origin: tuple[History, int] | None = None, fresh: bool = False
    ) -> None:
        """As for any pass; what a custom function delivers is looked at."""
        if self.halted is not None and ct is not None and _has_nan(ct):
            raise _anomaly(self.halted, 0, None)
        super().deliver(tensor, ct, origin, fresh)

    def _through_history(
        self, history: History, seeds: Mapping[int, Recorded | None], collect: Places | None, stops: Places
    ) -> dict[int, Any]:
        path = history.current_path()
        feeds = {node.id for node in path.feeds}
        way = path.builder.active if collect is None else toward(path, collect)
        ends = {node.id for node in path.created} & way
        reached = super()._through_history(history, seeds, tuple(sorted(ends | (feeds & way))), stops)
        wrong = {one for one, ct in reached.items() if _has_nan(ct)}
        if wrong:
            known = {**reached, **seeds}
            for call in reversed(history.end.line()):
                self._look(history, call, known, wrong, tuple(sorted(ends | feeds)))
        wanted = {*(collect or ()), *stops, *feeds}
        return {one: ct for one, ct in reached.items() if one in wanted}

    def _look(
        self,
        history: History,
        call: TrailNode,
        known: Mapping[int, Recorded | None],
        wrong: set[int],
        ends: Places,
    ) -> None:
        """Raise if a call by itself hands on NaN."""
        given = {node.id: known[node.id] for node in call.outputs if node.id in known}
        for place, operand in enumerate(_operands(call) if given else ()):
            if operand not in wrong:
                continue
            others = tuple(one for one in ends if one not in given)
            found = super()._through_history(history, given, (operand,), others)
            if operand in found and _has_nan(found[operand]):
                one = max(given)
                raise _anomaly(_names(history.end)[one], place, call.nodes[-1].source)


def _names(end: TrailNode) -> dict[int, str]:
    """Node id of a call's result -> PyTorch's name of what differentiates it."""
    found = {}
    for call in end.line():
        specs = (call.spec,) if call.plain else call.specs
        for node, spec in zip(call.outputs, specs, strict=False):
            found[node.id] = (spec and spec.grad_name) or "UnknownBackward0"
    return found


def _operands(call: TrailNode) -> list[int]:
    """Ids of the nodes that a call reads, as it reads them first."""
    own = {node.id for node in call.nodes} - {node.id for node in call.inputs}
    read = [source.id for node in call.nodes if node.id in own for source in node.inputs if source.id not in own]
    return list(dict.fromkeys(read))


def _has_nan(ct: Any) -> bool:
    return bool(np.isnan(ct.detach().numpy()).any())


def _anomaly(name: str, place: int, source: Source | None) -> GradientError:
    where = "" if source is None else f"\n  Such a call was first recorded at {source}."
    return GradientError(
        f"Function '{name}' returned nan values in its {place}th output.{where}\n"
        "  Fix: keep its operands where the derivative is defined, as x.clamp(min=1e-8).sqrt() does."
    )
