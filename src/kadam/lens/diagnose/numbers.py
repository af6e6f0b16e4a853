"""The first NaN or Inf: which forward operation made it, of which inputs, at which line, in which module."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from kadam import language
from kadam.ir.graph import Node, Phase
from kadam.ir.primitive import Array
from kadam.lens.diagnose.dynamics import diverges
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links, ancestors
from kadam.lens.diagnose.program import Program
from kadam.lens.step import Fault, Step, StepRecord
from kadam.primitives.sources import Input

# Sizes of inputs from which a result is too large for float32: they have grown, and the operation is not to blame.
GROWN = {"exp": 80.0, "": 1e9}


_REFUSED = re.compile(r"between 0 and 1, but one is -?(nan|inf)")


class FirstNonFinite:
    """Looks no further than the first step whose loss, gradients or new weights are no finite numbers.

    Infinite values that lead to finite ones (a mask of -inf before a softmax) are meant.
    """

    def __init__(self) -> None:
        self.found: Finding | None = None
        self.seen = False

    def see(self, record: StepRecord, links: Links | None) -> None:
        if self.seen or links is None or _is_known_finite(record):
            return
        if bad := _bad_results(links.step):
            self.seen = True
            self.found = _origin(links.step, bad)

    def findings(self, program: Program) -> Iterator[Finding]:
        if self.found is None and program.partial is not None and program.fault is not None:
            self.found = _refused(program.partial, program.fault)
        if self.found is not None:
            one_loss = len(program.made) < 2  # those of two networks that play against each other take turns
            grew = one_loss and diverges(np.array([loss for _, loss in program.losses]))
            overflows = self.found.variant == "overflow" or (grew and not self.found.variant)
            unseen = self.found.variant == "weight" and self.found.values["step"] != 0  # a step before has made it
            variant = "overflow" if overflows else self.found.variant
            yield replace(self.found, follows=overflows or unseen, variant=variant)


def _is_known_finite(record: StepRecord) -> bool:
    """Whether the step's summaries, gradients or updates among them, are all finite: then nobody has to look closer."""
    kinds = {kind for layout, _ in record.parts for kind, *_ in layout.entries}
    return record.loss is not None and not kinds.isdisjoint(("gradient", "update")) and record.finite


def _refused(step: Step, fault: Fault) -> Finding | None:
    """NaN or Inf that an operation refused to take, before it could reach a loss."""
    if fault.error != "RuntimeError" or not _REFUSED.search(fault.message):
        return None
    last = next((node for node in reversed(step.graph.nodes) if node.id in step.trace.values), None)
    return None if last is None or _is_finite(step, last) else _origin(step, [last])


def _bad_results(step: Step) -> list[Node]:
    """What a step is for, where it is no finite number: the loss, else gradients, else new weights."""
    results = [
        [] if step.loss is None or _name(step, step.loss) == "summarize" else [step.loss],
        [one.grad for one in step.parameters if one.grad is not None],
        [one.next for one in step.parameters if one.next is not None],
    ]
    for nodes in results:
        bad = [node for node in nodes if not _is_finite(step, node)]
        if bad:
            return bad
    return []


def _is_finite(step: Step, node: Node) -> bool:
    value = step.trace.values.get(node.id)
    return value is None or value.dtype.kind not in "fc" or bool(np.all(np.isfinite(value)))


def _origin(step: Step, bad: list[Node]) -> Finding | None:
    """The operation on the way to a bad result that makes NaN of numbers, or Inf of finite ones if that is the reason.

    NaN can come of Inf (Inf - Inf): then the reason is what made the Inf, unless it was written down (a mask of -Inf).
    """
    way = ancestors(tuple(bad))
    nans = _first(step, way, np.isnan)
    infs = _first(step, way, np.isinf, lambda node: bool(node.inputs) and not _is_mask(step, node))
    found = nans
    if nans is None or (infs is not None and infs.id in ancestors((nans,))):
        found = infs
    if found is None:
        return None
    if isinstance(found.primitive, Input):
        return _given(step, found)
    place = step.graph.nodes[found.origin] if found.phase is Phase.BACKWARD and found.origin is not None else found
    result = step.trace.values[found.id]
    values: dict[str, Value] = {
        "step": step.index,
        "operation": _name(step, place),
        "bad": int(np.count_nonzero(~np.isfinite(result))),
        "total": result.size,
        "inputs": ", ".join(_input(step, one) for one in dict.fromkeys(place.inputs or (found,))),
        "module": f" (`{place.scope}`)" if place.scope else "",
        "way": "backward" if found.phase is Phase.BACKWARD else "forward",
    }
    grown = not np.any(np.isnan(result)) and _largest(step, place) > GROWN.get(str(values["operation"]), GROWN[""])
    return Finding("nan_or_inf", place.source or found.source, values, variant="overflow" if grown else "")


def _given(step: Step, node: Node) -> Finding:
    """NaN or Inf that no operation of the step has made: they came with the data, or stood in a weight before."""
    links = Links(step)
    value = step.trace.values[node.id]
    values: dict[str, Value] = {
        "step": step.index,
        "name": step.names.get(node.id) or str(node.type),
        "bad": int(np.count_nonzero(~np.isfinite(value))),
        "total": value.size,
    }
    readers = links.readers.get(node.id, ())
    source = next((one.source for one in readers if one.source is not None), None)
    return Finding("nan_or_inf", source, values, variant="weight" if node.id in links.weights else "data")


def _largest(step: Step, node: Node) -> float:
    """The largest number that an operation was given."""
    values = [step.trace.values.get(one.id) for one in node.inputs]
    return max((float(np.abs(one).max()) for one in values if one is not None and one.size), default=0.0)


def _first(
    step: Step,
    way: dict[int, Node],
    is_bad: Callable[[Array], Array],
    counts: Callable[[Node], bool] = lambda node: True,
) -> Node | None:
    """The first node that has such numbers while its inputs have none."""

    def has(node: Node) -> bool:
        value = step.trace.values.get(node.id)
        return value is not None and value.dtype.kind in "fc" and bool(np.any(is_bad(value)))

    found = (node for node in sorted(way.values(), key=lambda one: one.id) if has(node) and counts(node))
    return next((node for node in found if not any(has(one) for one in node.inputs)), None)


def _is_mask(step: Step, node: Node) -> bool:
    """Whether a value only hands on an infinite number that was written down."""
    values = [value for one in node.inputs if (value := step.trace.values.get(one.id)) is not None]
    return any(value.dtype.kind == "f" and bool(np.any(np.isinf(value))) for value in values)


def _name(step: Step, node: Node) -> str:
    called = step.called.get(node.id, "").strip("_")
    primitive = type(node.primitive).__name__.lower()
    return called if called and not called.startswith("sweep") else primitive


def _input(step: Step, node: Node) -> str:
    """A value in a few numbers."""
    value = step.trace.values.get(node.id)
    name = step.names.get(node.id) or node.scope or type(node.primitive).__name__.lower()
    if value is None or value.size == 0:
        return f"`{name} {node.type}`"
    if value.size == 1:
        return f"`{name}` = {language.number(float(value.reshape(-1)[0]))}"
    return f"`{name} {node.type}`: {language.number(float(value.min()))} … {language.number(float(value.max()))}"
