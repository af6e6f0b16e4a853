"""Whether a model is asked, outside its training, about inputs of the scale that it was trained with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kadam.ir.primitive import Array
from kadam.lens.capture_inputs import SHARES, quantiles
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import Links
from kadam.lens.diagnose.program import Program
from kadam.lens.step import Event, StepRecord

FAR = 6.0  # times as wide: who looks how a model does beyond its data goes to twice or three times their width
WIDER = 1.8  # ... and so much is enough where the numbers are the training's but for their unit
SHAPE = 0.04  # of their width: how far apart the quantiles of two samples of the same data lie
FEATURES = 8  # in a sample: a grid of points over a plane has the shape of what it was laid over, at any width
STEADY = 3.0  # times as wide: training inputs that differ more among themselves have no scale
WAYS = 3  # different scales that are tried: then they are what is looked at


class EvaluationScale:
    """Inputs that were scaled for the training and not for the evaluation, or the other way round.

    Compared is how wide the numbers lie, from the smallest to the largest and without the outermost twentieths. A
    noise or a shift on purpose changes their shape as well, and not by so much.
    """

    def __init__(self) -> None:
        self.trained: dict[int, list[Array]] = {}  # outermost module -> quantiles of what it was trained with
        self.features: dict[int, int] = {}
        self.rebuilds: set[int] = set()  # outermost modules that are to give back what they are fed with

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None:
            return
        for call in links.step.calls:
            if call.depth or not call.grad or not call.inputs or call.inputs[0].id in links.step.active:
                continue
            value = links.value(call.inputs[0])
            known = quantiles(value) if value is not None and value.dtype.kind == "f" else ()
            if known:
                self.trained.setdefault(call.root, []).append(np.array(known))
                self.features[call.root] = call.inputs[0].type.elements // call.inputs[0].shape[0]
                given = links.maker(call.inputs[0])
                if any(one.target is not None and links.maker(one.target) is given for one in links.comparisons()):
                    self.rebuilds.add(call.root)

    def findings(self, program: Program) -> Iterator[Finding]:
        for root, trained in self.trained.items():
            usual = np.median(trained, axis=0)
            widths = [_width(one) for one in trained]
            few = self.features[root] < FEATURES
            if few or _width(usual) <= 0 or max(widths) > STEADY * max(min(widths), 1e-12):
                continue
            looked = [one for one in _looks(program.events, root) if _width(_spread(one)) > 0]
            other = [one for one in looked if _is_other(_spread(one), usual, len(looked) == len(_afar(looked, usual)))]
            if root in self.rebuilds and any(_times(_spread(one), usual) < WIDER for one in looked):
                continue  # beside usual inputs others, to see that these are rebuilt worse (anomalies)
            scales = {round(float(np.log2(_width(_spread(one)) / _width(usual)))) for one in looked}
            if other and len(scales) < WAYS:
                asked = _spread(other[0])
                values: dict[str, Value] = {"passes": len(other), "low": float(asked[0]), "high": float(asked[-1]),
                    "least": float(usual[0]), "most": float(usual[-1])}  # fmt: skip
                yield Finding("evaluation_scaled_otherwise", other[0].source, values)
                return


def _looks(events: list[Event], root: int) -> Iterator[Event]:
    """Passes of a model that has learnt, which lead to no step."""
    begun = False
    for event in events:
        begun = begun or event.kind == "optimizer_step"
        if begun and event.kind == "forward" and event.fact("root") == root and event.fact("spread"):
            yield event


def _spread(event: Event) -> Array:
    return np.array(event.fact("spread"), dtype=np.float64)


def _width(spread: Array) -> float:
    """From the smallest to the largest number."""
    return float(spread[-1] - spread[0])


def _is_other(asked: Array, usual: Array, always: bool) -> bool:
    """Whether numbers have another scale than the usual ones."""
    apart = np.abs(_in_shares(asked) - _in_shares(usual)).max()
    return _times(asked, usual) >= (WIDER if apart < SHAPE else FAR) and (always or bool(apart < SHAPE))


def _afar(looked: list[Event], usual: Array) -> list[Event]:
    """The passes about far wider or narrower inputs: beside usual ones, such are picked on purpose (anomalies)."""
    return [one for one in looked if _times(_spread(one), usual) >= FAR]


def _times(asked: Array, usual: Array) -> float:
    """How many times as wide numbers lie as the usual ones, or as narrow."""
    return min(_ratio(_width(asked), _width(usual)), _ratio(_inner(asked), _inner(usual)))


def _inner(spread: Array) -> float:
    """The width without the outermost twentieths."""
    low, high = SHARES.index(0.05), SHARES.index(0.95)
    return float(spread[high] - spread[low])


def _ratio(one: float, other: float) -> float:
    """How many times as wide; both ways alike. 1 where one has no width."""
    return max(one / other, other / one) if one > 0 and other > 0 else 1.0


def _in_shares(spread: Array) -> Array:
    """Where the inner quantiles lie between the outermost ones that are no single numbers."""
    inner = spread[1:-1]
    width = inner[-1] - inner[0]
    return np.asarray((inner - inner[0]) / width if width > 0 else np.zeros_like(inner))
