"""What ONNX's operators make of Kadam's primitives."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from kadam import dtypes
from kadam.dtypes import dtype
from kadam.errors import UnsupportedError
from kadam.ir.graph import Node
from kadam.onnx import model
from kadam.primitives import (
    analysis,
    bits,
    broadcast,
    check,
    compare,
    contract,
    convolve,
    elementwise,
    index,
    logarithmic,
    move,
    pool,
    reduce,
    rounding,
    scan,
    select,
    sort,
    sources,
    special,
    trigonometry,
)

_PLAIN: dict[type, str] = {
    elementwise.Add: "Add", elementwise.Sub: "Sub", elementwise.Mul: "Mul", elementwise.Div: "Div",
    elementwise.Neg: "Neg", elementwise.Abs: "Abs", elementwise.Sign: "Sign", elementwise.Where: "Where",
    analysis.Reciprocal: "Reciprocal", analysis.Sqrt: "Sqrt", analysis.Pow: "Pow", analysis.Exp: "Exp",
    analysis.Log: "Log", analysis.Sigmoid: "Sigmoid", analysis.Relu: "Relu", special.Erf: "Erf",
    trigonometry.Sin: "Sin", trigonometry.Cos: "Cos", trigonometry.Tan: "Tan", trigonometry.Tanh: "Tanh",
    trigonometry.Asin: "Asin", trigonometry.Acos: "Acos", trigonometry.Atan: "Atan", trigonometry.Sinh: "Sinh",
    trigonometry.Cosh: "Cosh", trigonometry.Asinh: "Asinh", trigonometry.Acosh: "Acosh", trigonometry.Atanh: "Atanh",
    rounding.Floor: "Floor", rounding.Ceil: "Ceil", rounding.Round: "Round",
    compare.Less: "Less", compare.LessEqual: "LessOrEqual", compare.Greater: "Greater",
    compare.GreaterEqual: "GreaterOrEqual", compare.Equal: "Equal", compare.IsNan: "IsNaN",
    compare.Maximum: "Max", compare.Minimum: "Min",
    move.Detach: "Identity", move.Severed: "Identity", move.Copy: "Identity", check.Within: "Identity",
}  # fmt: skip
_LOGIC: dict[type, str] = {bits.And: "And", bits.Or: "Or", bits.Xor: "Xor", bits.Not: "Not"}


class Writer:
    """Collects the nodes and constants of a graph.

    Attributes:
        resizable: whether the sizes of inputs may vary, so that whole numbers may be computed from them.
        names: of the values that stand in the file, by the ids of their nodes.
    """

    def __init__(self, resizable: bool = False) -> None:
        self.resizable = resizable
        self.nodes: list[bytes] = []
        self.constants: list[bytes] = []
        self.names: dict[int, str] = {}
        self.counts: dict[str, list[int]] = {}  # constants of sizes and places, which the sizes of inputs decide
        self._count = 0

    def constant(self, array: Any, name: str | None = None) -> str:
        """A constant's name."""
        name = name or self._fresh("constant")
        self.constants.append(model.tensor(name, np.asarray(array)))
        return name

    def sizes(self, sizes: Any) -> str:
        """The name of a constant of sizes or places."""
        name = self._fresh("sizes")
        self.counts[name] = [*map(int, sizes)]
        return name

    def number(self, number: Any) -> str:
        """The name of a constant number: of one that sizes may decide, if sizes may vary."""
        array = np.asarray(number)
        if not self.resizable or array.dtype.kind not in "iuf" or not np.isfinite(array) or array != np.floor(array):
            return self.constant(array)
        return self.apply("Cast", self.apply("Squeeze", self.sizes([array])), to=model.element_type_of(array))

    def filled(self, number: Any, shape: Any) -> str:
        """The name of a tensor of one number."""
        single = self.number(number)
        return self.apply("Expand", single, self.sizes(shape)) if len(shape) else single

    def steps(self, count: int, kind: dtype) -> str:
        """The name of 0, 1, 2 ..."""
        zero, step = (self.constant(np.array(number, np.int64)) for number in (0, 1))
        steps = self.apply("Range", zero, self.apply("Squeeze", self.sizes([count])), step)
        return self.apply("Cast", steps, to=model.element_type(kind))

    def apply(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The name of what an operator makes of named values."""
        name = self._fresh(operator.lower())
        self.nodes.append(model.node(operator, inputs, [name], f"node_{name}", attributes))
        return name

    def second(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The name of the second of the two results of an operator."""
        names = [self._fresh(operator.lower()) for _ in range(2)]
        self.nodes.append(model.node(operator, inputs, names, f"node_{names[1]}", attributes))
        return names[1]

    def _fresh(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"

    def write(self, node: Node) -> None:
        """Add what a node computes.

        Raises:
            UnsupportedError: no operator does.
        """
        kind, named = type(node.primitive), [self.names[source.id] for source in node.inputs]
        if kind in _PLAIN:
            self.names[node.id] = self.apply(_PLAIN[kind], *named)
        elif kind in _LOGIC and node.dtype.name == "bool":
            self.names[node.id] = self.apply(_LOGIC[kind], *named)
        elif kind in _RULES:
            self.names[node.id] = _RULES[kind](self, node, *named)
        else:
            where = f", recorded at {node.source}" if node.source else ""
            raise UnsupportedError(
                f"onnx.export: ONNX has no operator for {kind.__name__}{where}. Fix: write that line with operations "
                "that ONNX has."
            )


Rule = Callable[..., str]
_RULES: dict[type, Rule] = {}


def _rule(*kinds: type) -> Callable[[Rule], Rule]:
    def declare(rule: Rule) -> Rule:
        _RULES.update(dict.fromkeys(kinds, rule))
        return rule

    return declare


def _one(w: Writer, node: Node) -> str:
    return w.constant(np.ones((), node.dtype.numpy))


@_rule(analysis.Rsqrt)
def _rsqrt(w: Writer, node: Node, x: str) -> str:
    return w.apply("Reciprocal", w.apply("Sqrt", x))


@_rule(analysis.Log1p)
@_rule(analysis.LibraryLog1p)
def _log1p(w: Writer, node: Node, x: str) -> str:
    return w.apply("Log", w.apply("Add", x, _one(w, node)))


@_rule(logarithmic.Logit)
def _logit(w: Writer, node: Node, x: str) -> str:
    return w.apply("Log", w.apply("Div", x, w.apply("Sub", _one(w, node), x)))


@_rule(logarithmic.XLogY)
def _x_log_y(w: Writer, node: Node, a: str, b: str) -> str:
    return _zero_first(w, node, a, b, w.apply("Log", b))


@_rule(logarithmic.XLog1pY)
def _x_log1p_y(w: Writer, node: Node, a: str, b: str) -> str:
    return _zero_first(w, node, a, b, _log1p(w, node, b))


def _zero_first(w: Writer, node: Node, a: str, b: str, logarithm: str) -> str:
    zero = w.constant(np.zeros((), node.dtype.numpy))
    nothing = w.apply("And", w.apply("Equal", a, zero), w.apply("Equal", b, b))
    return w.apply("Where", nothing, zero, w.apply("Mul", a, logarithm))


@_rule(logarithmic.Entropy)
def _entropy(w: Writer, node: Node, x: str) -> str:
    zero, below = (w.constant(np.full((), value, node.dtype.numpy)) for value in (0, -np.inf))
    outside = w.apply("Where", w.apply("Equal", x, zero), zero, below)
    found = w.apply("Mul", w.apply("Neg", x), w.apply("Log", x))
    return w.apply("Where", w.apply("LessOrEqual", x, zero), outside, found)


@_rule(analysis.Expm1)
def _expm1(w: Writer, node: Node, x: str) -> str:
    return w.apply("Sub", w.apply("Exp", x), _one(w, node))


@_rule(special.Erfc)
def _erfc(w: Writer, node: Node, x: str) -> str:
    return w.apply("Sub", _one(w, node), w.apply("Erf", x))


@_rule(compare.NotEqual)
def _not_equal(w: Writer, node: Node, a: str, b: str) -> str:
    return w.apply("Not", w.apply("Equal", a, b))


@_rule(elementwise.Cast)
def _cast(w: Writer, node: Node, x: str) -> str:
    return w.apply("Cast", x, to=model.element_type(node.dtype))


@_rule(sources.Full)
def _full(w: Writer, node: Node) -> str:
    assert isinstance(node.primitive, sources.Full)
    return w.filled(np.array(node.primitive.value, node.dtype.numpy), node.shape)


@_rule(sources.Iota)
def _iota(w: Writer, node: Node) -> str:
    one: Any = node.primitive
    steps = w.steps(node.shape[one.axis], node.dtype)
    if node.rank == 1:
        return steps
    column = w.sizes([-1 if axis == one.axis else 1 for axis in range(node.rank)])
    return w.apply("Expand", w.apply("Reshape", steps, column), w.sizes(node.shape))


@_rule(move.Reshape)
def _reshape(w: Writer, node: Node, x: str) -> str:
    return w.apply("Reshape", x, w.sizes(node.shape))


@_rule(broadcast.Broadcast)
def _broadcast(w: Writer, node: Node, x: str) -> str:
    return w.apply("Expand", x, w.sizes(node.shape))


@_rule(move.Permute)
def _permute(w: Writer, node: Node, x: str) -> str:
    return w.apply("Transpose", x, perm=node.primitive.axes)  # type: ignore[attr-defined]


@_rule(move.Slice)
def _slice(w: Writer, node: Node, x: str) -> str:
    one: Any = node.primitive
    return w.apply("Slice", x, w.sizes(one.starts), w.sizes(one.stops), w.sizes(range(node.rank)), w.sizes(one.steps))


@_rule(move.Flip)
def _flip(w: Writer, node: Node, x: str) -> str:
    axes = node.primitive.axes  # type: ignore[attr-defined]
    back = [-1] * len(axes)
    return w.apply(
        "Slice", x, w.sizes(back), w.sizes([np.iinfo(np.int64).min] * len(axes)), w.sizes(axes), w.sizes(back)
    )


@_rule(move.Insert)
def _insert(w: Writer, node: Node, base: str, part: str) -> str:
    one: Any = node.primitive
    if not isinstance(node.inputs[0].primitive, sources.Full) or set(one.steps) != {1}:
        raise UnsupportedError("onnx.export: a part of a tensor is replaced. Fix: torch.cat or torch.where.")
    after = [size - stop for size, stop in zip(node.shape, one.stops, strict=True)]
    fill = w.constant(np.array(node.inputs[0].primitive.value, node.dtype.numpy))
    return w.apply("Pad", part, w.sizes([*one.starts, *after]), fill)


@_rule(move.Concat)
def _concat(w: Writer, node: Node, *parts: str) -> str:
    return w.apply("Concat", *parts, axis=node.primitive.axis)  # type: ignore[attr-defined]


@_rule(broadcast.Sum)
def _sum(w: Writer, node: Node, x: str) -> str:
    axes = node.primitive.axes  # type: ignore[attr-defined]
    return w.apply("ReduceSum", x, w.sizes(axes), keepdims=0) if axes else w.apply("Identity", x)


@_rule(reduce.Max, reduce.Min, reduce.Prod)
def _reduced(w: Writer, node: Node, x: str) -> str:
    operator = {reduce.Max: "ReduceMax", reduce.Min: "ReduceMin", reduce.Prod: "ReduceProd"}[type(node.primitive)]
    axes = node.primitive.axes  # type: ignore[attr-defined]
    if not axes:
        return w.apply("Identity", x)
    if node.dtype.name != "bool":
        return w.apply(operator, x, axes=axes, keepdims=0)
    number, truth = (model.element_type(kind) for kind in (dtypes.int32, dtypes.bool_))
    return w.apply("Cast", w.apply(operator, w.apply("Cast", x, to=number), axes=axes, keepdims=0), to=truth)


@_rule(reduce.ArgMax, reduce.ArgMin)
def _place(w: Writer, node: Node, x: str) -> str:
    operator = "ArgMax" if isinstance(node.primitive, reduce.ArgMax) else "ArgMin"
    return w.apply(operator, x, axis=node.primitive.axis, keepdims=0)  # type: ignore[attr-defined]


@_rule(scan.CumSum)
def _cumsum(w: Writer, node: Node, x: str) -> str:
    return w.apply("CumSum", x, w.constant(np.array(node.primitive.axis, np.int64)))  # type: ignore[attr-defined]


@_rule(contract.Dot)
def _dot(w: Writer, node: Node, a: str, b: str) -> str:
    one: Any = node.primitive
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    left = [next(letters) for _ in range(node.inputs[0].rank)]
    right = [next(letters) for _ in range(node.inputs[1].rank)]
    for pairs in ((one.a_batch, one.b_batch), (one.a_axes, one.b_axes)):
        for first, second in zip(*pairs, strict=True):
            right[second] = left[first]
    a_free, b_free = one.free(len(left), len(right))
    result = [left[axis] for axis in (*one.a_batch, *a_free)] + [right[axis] for axis in b_free]
    return w.apply("Einsum", a, b, equation=f"{''.join(left)},{''.join(right)}->{''.join(result)}")


@_rule(convolve.Convolve)
def _convolve(w: Writer, node: Node, x: str, weight: str) -> str:
    one: Any = node.primitive
    return w.apply("Conv", x, weight, **_windows(one), dilations=one.dilation, group=one.groups)


@_rule(convolve.ConvolveInput)
def _convolve_input(w: Writer, node: Node, y: str, weight: str) -> str:
    one: Any = node.primitive
    counts, kernel = node.inputs[0].shape[2:], node.inputs[1].shape[2:]
    rows = zip(counts, kernel, one.stride, one.dilation, one.padding, one.size, strict=True)
    longer = [
        size - ((count - 1) * stride + (taps - 1) * dilation + 1 - before - after)
        for count, taps, stride, dilation, (before, after), size in rows
    ]
    options = {**_windows(one), "dilations": one.dilation, "group": one.groups, "output_padding": longer}
    return w.apply("ConvTranspose", y, weight, **options)


@_rule(pool.WindowArgMax)
def _window_place(w: Writer, node: Node, x: str) -> str:
    return x  # `WindowPick` of the same windows is what ONNX has


@_rule(pool.WindowPick)
def _window_max(w: Writer, node: Node, x: str, places: str) -> str:
    one: Any = node.primitive
    source = node.inputs[1]
    if not isinstance(source.primitive, pool.WindowArgMax) or places != x:
        raise UnsupportedError("onnx.export: elements at places of another tensor's windows. Fix: MaxPool alone.")
    return w.apply("MaxPool", x, **_windows(one), kernel_shape=one.kernel, dilations=one.dilation)


@_rule(pool.WindowSum)
def _window_sum(w: Writer, node: Node, x: str) -> str:
    one: Any = node.primitive
    mean = w.apply("AveragePool", x, **_windows(one), kernel_shape=one.kernel, count_include_pad=1)
    return w.apply("Mul", mean, w.constant(np.array(prod(one.kernel), node.dtype.numpy)))


def _windows(one: Any) -> dict[str, Any]:
    befores, afters = zip(*one.padding, strict=True)
    return {"strides": one.stride, "pads": [*befores, *afters]}


@_rule(index.Gather)
def _gather(w: Writer, node: Node, x: str, places: str) -> str:
    return w.apply("GatherElements", x, places, axis=node.primitive.axis)  # type: ignore[attr-defined]


@_rule(index.Scatter)
def _scatter(w: Writer, node: Node, base: str, part: str, places: str) -> str:
    return w.apply("ScatterElements", base, places, part, axis=node.primitive.axis)  # type: ignore[attr-defined]


@_rule(sort.TopKIndices)
def _top_places(w: Writer, node: Node, x: str) -> str:
    one: Any = node.primitive
    return w.second("TopK", x, w.sizes([one.k]), axis=one.axis, largest=int(one.largest))


@_rule(select.RankIndex)
def _place_of_rank(w: Writer, node: Node, x: str) -> str:
    one: Any = node.primitive
    smallest = w.second("TopK", x, w.sizes([one.rank + 1]), axis=one.axis, largest=0)
    return w.apply("Gather", smallest, w.constant(np.asarray(one.rank)), axis=one.axis)


@_rule(sort.SortIndices)
def _sorted_places(w: Writer, node: Node, x: str) -> str:
    one: Any = node.primitive
    return w.second("TopK", x, w.sizes([node.shape[one.axis]]), axis=one.axis, largest=int(one.descending))


@_rule(rounding.Remainder)
def _remainder(w: Writer, node: Node, a: str, b: str) -> str:
    if not node.dtype.is_floating_point:
        return w.apply("Mod", a, b)
    return w.apply("Sub", a, w.apply("Mul", b, w.apply("Floor", w.apply("Div", a, b))))


@_rule(index.Index)
def _index(w: Writer, node: Node, x: str, *places: str) -> str:
    axes = node.primitive.axes  # type: ignore[attr-defined]
    if len(axes) == 1:
        return w.apply("Gather", x, places[0], axis=axes[0])
    if axes != tuple(range(len(axes))):
        raise UnsupportedError("onnx.export: indices of axes that are not the first. Fix: permute() first.")
    last = w.sizes([-1])
    joined = w.apply("Concat", *(w.apply("Unsqueeze", one, last) for one in places), axis=-1)
    return w.apply("GatherND", x, joined)


__all__ = ["Writer"]
