"""What stands before the loss: activations that it applies itself, outputs that cannot reach the targets, shapes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kadam.ir.graph import Node, Source
from kadam.ir.primitive import Array
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Comparison, Links
from kadam.lens.diagnose.program import Program
from kadam.lens.diagnose.recognise import activation_of
from kadam.lens.step import ModuleCall, Step, StepRecord

SEEN = 2  # steps in which it must be so: one batch can look like anything
SUM_IS_ONE = 1e-3  # how near to 1 the sums of probabilities are in float32, and in bfloat16 nearly
LOG_SUM = 0.05  # how far from 0 the logarithm of the sum may be of what is meant as log-probabilities
OUT_OF_REACH = 0.05  # share of the targets' variance that the output's range cannot explain: noise has less
RANGES = {"relu": (0.0, np.inf), "relu6": (0.0, 6.0), "sigmoid": (0.0, 1.0), "hardsigmoid": (0.0, 1.0),
          "tanh": (-1.0, 1.0), "hardtanh": (-1.0, 1.0), "softsign": (-1.0, 1.0), "softplus": (0.0, np.inf),
          "softmax": (0.0, 1.0)}  # fmt: skip
BOUNDED = ("relu", "relu6", "sigmoid", "hardsigmoid", "tanh", "hardtanh", "softsign", "softplus")
SQUEEZES = ("sigmoid", "tanh", "softmax", "log_softmax", "hardsigmoid", "softsign")
CUT = 1e-3  # how far outside 0 to 1 a number must be to be no probability
DISTANCES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "difference")


Told = tuple[str, dict[str, Value]] | None


class Losses:
    """Looks at each prediction as it enters its loss; each rule below says what is wrong with one, if anything is."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, Source | None], list[dict[str, Value]]] = {}
        self.lines: dict[tuple[str, Source | None], tuple[Source, ...]] = {}
        self.losses: dict[tuple[str, Source | None], Source | None] = {}
        self.passed: dict[Source | None, int] = {}

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        step = links.step
        leaves = [call for call in step.calls if call.outputs and not _has_parts(step, call.path)]
        made = {call.outputs[0].id: call.made for call in leaves if not _is_shared(step, call)}
        for one in links.comparisons():
            self.passed[one.source] = self.passed.get(one.source, 0) + 1
            value = links.value(one.prediction)
            if value is None or not np.all(np.isfinite(value)):
                continue
            maker = links.maker(one.prediction)
            activation, given = _activation(links, one)
            target = None if one.target is None else links.value(one.target)
            told = _twice(links, one, activation, given) or _clipped(links, one, activation, given)
            if told is not None:
                self._note(told, maker.source, maker.source, one)
                continue
            for rule in (
                _probabilities, _no_log_probabilities, _bounded_scores, _out_of_reach, _stretched,
            ):  # fmt: skip
                told = rule(one, activation, value, target)
                if told is not None:
                    kind, values = told
                    line = one.source if kind in ("target_broadcast",) or not activation else maker.source
                    constructor = made.get(maker.id)
                    if constructor is not None and line is maker.source and activation:
                        line = constructor
                    self._note((kind, values), line, maker.source, one)
                    break

        self._look_at_softmaxes(links)

    def _look_at_softmaxes(self, links: Links) -> None:
        """A loss by hand that takes the (log-)softmax of what are probabilities already."""
        told = {one.source for one in links.comparisons()}  # by a loss that takes its own softmax
        for node in links.forward:
            name = links.called(node)
            if name not in ("log_softmax", "softmax") or node.rank != 2 or node.id not in links.step.active:
                continue
            if not links.ends_call(node) or node.source in told:
                continue
            self.passed[node.source] = self.passed.get(node.source, 0) + 1
            given = next((one for one in entered(links, node) if one.shape == node.shape), None)
            value = None if given is None else links.value(given)
            if given is not None and value is not None and np.all(np.isfinite(value)) and _are_probabilities(value, 1):
                line = links.maker(given).source
                self._note(_of_probabilities(value), line, line, Comparison(name, given, None, node.source))

    def _note(self, told: Told, line: Source | None, made: Source | None, one: Comparison) -> None:
        assert told is not None
        key = told[0], line
        self.found.setdefault(key, []).append({**told[1], "loss": one.name})
        self.losses[key] = one.source
        self.lines[key] = tuple(dict.fromkeys(at for at in (made, one.source) if at is not None and at != line))

    def findings(self, program: Program) -> Iterator[Finding]:
        fault = program.fault
        if fault is not None and "binary_cross_entropy: all elements of input" in fault.message:
            yield Finding("bce_without_sigmoid", fault.source, {}, variant="failed")
        for (kind, line), told in self.found.items():
            if len(told) >= SEEN and len(told) * 2 > self.passed[self.losses[(kind, line)]]:
                way = "twice" if "inner" in told[0] else ""
                yield Finding(kind, line, {**told[0], "steps": len(told)}, self.lines[(kind, line)], variant=way)


def _has_parts(step: Step, path: str) -> bool:
    return any(call.path.startswith(f"{path}.") if path else call.depth > 0 for call in step.calls)


def _is_shared(step: Step, call: ModuleCall) -> bool:
    """Whether one module is called at several lines of the model: then its own line does not tell which is meant."""
    outer = {one.source for one in step.calls if one.depth == 0}
    same = (one for one in step.calls if (one.root, one.path) == (call.root, call.path))
    return len({one.source for one in same} - outer) > 1


def _activation(links: Links, one: Comparison) -> tuple[str, list[Node]]:
    """The activation that a prediction comes from directly, empty if it is none, and what it was given."""
    node = links.maker(one.prediction)
    name = links.called(node)
    if name in RANGES or name == "log_softmax":
        return name, entered(links, node)
    known = activation_of(links, node)
    if known is not None:
        return known[0], [known[1]]
    return ("clamp", entered(links, node)) if name == "clamp" else ("", [])


def _class_axis(value: Array) -> int:
    return 0 if value.ndim == 1 else 1


def _are_probabilities(value: Array, axis: int) -> bool:
    if value.ndim == 0 or value.shape[axis] < 2 or value.min() < 0 or value.max() > 1:
        return False
    return bool(np.all(np.abs(value.sum(axis=axis) - 1) < SUM_IS_ONE))


def _twice(links: Links, one: Comparison, activation: str, given: list[Node]) -> Told:
    """An activation applied to what has come out of one that squeezes already."""
    if activation not in SQUEEZES:
        return None
    makers = (links.maker(node) for node in given)
    inner = next((links.called(node) for node in makers if links.called(node) in SQUEEZES), "")
    if not inner:
        return None
    values = links.value(one.prediction)
    low, high = (float(values.min()), float(values.max())) if values is not None and values.size else (0.0, 1.0)
    return "output_activation", {
        "activation": activation, "inner": inner, "low": low, "high": high, "share": 100.0}  # fmt: skip


def _clipped(links: Links, one: Comparison, activation: str, given: list[Node]) -> Told:
    """Scores that are cut to 0 and 1 instead of being made probabilities: no gradient passes where they were cut."""
    if one.name != "binary_cross_entropy" or activation not in ("clamp", "hardtanh", "relu"):
        return None
    raw = next((links.value(node) for node in given if node.id in links.step.active), None)
    if raw is None or not raw.size:
        return None
    cut = float(np.mean((raw < -CUT) | (raw > 1 + CUT)))
    return ("bce_without_sigmoid", {"share": 100 * cut}) if cut > 0 else None


def entered(links: Links, made: Node) -> list[Node]:
    """What the call that made a value was given."""
    inside = {node.id: node for node in links.call_of(made)}
    return [source for node in inside.values() for source in node.inputs if source.id not in inside]


def _probabilities(one: Comparison, activation: str, value: Array, target: Array | None) -> Told:
    """Cross entropy takes scores and applies softmax itself; BCE with logits applies the sigmoid itself."""
    if one.name == "cross_entropy" and _are_probabilities(value, _class_axis(value)):
        return _of_probabilities(value)
    if one.name == "binary_cross_entropy_with_logits" and activation in ("sigmoid", "softmax", "hardsigmoid"):
        return "sigmoid_before_bce_with_logits", {"smallest": float(value.min()), "largest": float(value.max())}
    return None


def _of_probabilities(value: Array) -> tuple[str, dict[str, Value]]:
    """What a softmax of probabilities can reach at best."""
    classes = value.shape[_class_axis(value)]
    least = float(np.log1p((classes - 1) * np.exp(-1.0)))
    return "softmax_before_cross_entropy", {"largest": float(value.max()), "classes": classes, "least": least}


def _no_log_probabilities(one: Comparison, activation: str, value: Array, target: Array | None) -> Told:
    """NLL and KL take log-probabilities: numbers below 0 whose exponentials add up to 1."""
    if one.name not in ("nll_loss", "kl_div"):
        return None
    axis = _class_axis(value) if one.name == "nll_loss" else value.ndim - 1
    value = value.astype(np.float64)
    top = value.max(axis=axis, keepdims=True)
    log_sum = float(np.abs(np.log(np.exp(value - top).sum(axis=axis)) + top.squeeze(axis)).mean())
    if log_sum < LOG_SUM:
        return None
    return "nll_without_log_softmax", {"largest": float(value.max()), "sum": float(np.exp(value).sum(axis=axis).mean())}


def _bounded_scores(one: Comparison, activation: str, value: Array, target: Array | None) -> Told:
    """Scores must be able to take any sign and size."""
    if one.name not in ("cross_entropy", "binary_cross_entropy_with_logits") or activation not in BOUNDED:
        return None
    low, high = RANGES[activation]
    share = float(np.mean(value <= low)) if high == np.inf else 1.0
    return "output_activation", {"activation": activation, "low": low, "high": high, "share": 100 * share}


def _out_of_reach(one: Comparison, activation: str, value: Array, target: Array | None) -> Told:
    """Targets outside the range of the output's activation cannot be predicted."""
    if one.name not in DISTANCES or activation not in RANGES or target is None or target.dtype.kind != "f":
        return None
    low, high = RANGES[activation]
    target = target.astype(np.float64)
    missed = np.clip(low - target, 0, None) + np.clip(target - high, 0, None)
    variance = float(target.var())
    if variance == 0 or float(np.square(missed).mean()) < OUT_OF_REACH * variance:
        return None
    return "output_activation", {
        "activation": activation, "low": low, "high": high, "share": 100 * float(np.mean(missed > 0))}  # fmt: skip


def _stretched(one: Comparison, activation: str, value: Array, target: Array | None) -> Told:
    """[N, 1] against [N] makes a table of N by N differences: each prediction against each target."""
    if one.name not in (*DISTANCES, "binary_cross_entropy_with_logits", "binary_cross_entropy") or target is None:
        return None
    if value.ndim == target.ndim or 1 < value.shape[0] != target.shape[0]:
        return None
    shape = np.broadcast_shapes(value.shape, target.shape)
    made, most = int(np.prod(shape)), max(value.size, target.size)
    if made <= most or min(value.size, target.size) < 2:
        return None
    shapes = {"prediction": str(list(value.shape)), "target": str(list(target.shape))}
    return "target_broadcast", {**shapes, "made": made, "wanted": most}
