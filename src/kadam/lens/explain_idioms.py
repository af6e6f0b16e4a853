"""How books write what is computed in another way, so that it stays exact for large and for tiny numbers.

`log1p(exp(−|z|))` and what belongs to it is a logarithm of a sigmoid; one that is kept above -100 is a logarithm. In a
softmax the largest score is taken from each: the quotient is the same without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from kadam.dtypes import bool_
from kadam.ir.graph import Node
from kadam.ir.primitive import Array, Primitive
from kadam.primitives.analysis import Exp, Expm1, LibraryLog1p, Log, Log1p, Relu
from kadam.primitives.bits import And, Or
from kadam.primitives.broadcast import Broadcast, Sum
from kadam.primitives.compare import Greater, IsNan, Less
from kadam.primitives.elementwise import Add, Cast, Div, Mul, Neg, Sub, Where
from kadam.primitives.move import Copy, Detach, Reshape
from kadam.primitives.reduce import Max
from kadam.primitives.sources import Full

LARGEST_EXPONENT = 700  # of a number in double precision, whose exponential is one


@dataclass(frozen=True)
class Idiom:
    """Another way to write a value, element by element.

    Attributes:
        notation: `{0}` is the first operand as it is, `{a}` the same in parentheses where it needs them.
        operands: of the value's shape, or spread over it.
        of_element: how a single element is written, if in another way.
        instead: values within the operands that may be read as others, by id.
    """

    notation: str
    operands: tuple[Node, ...]
    of_element: Idiom | None = None
    instead: Mapping[int, Node] = field(default_factory=dict)


def idiom(node: Node, values: Mapping[int, Array]) -> Idiom | None:
    """How books write a value; None if that is what its primitives say anyway."""
    primitive = node.primitive
    if isinstance(primitive, Where):
        return bounded(node) or _chosen(node)
    if isinstance(primitive, And | Or) and node.dtype is bool_:
        return Idiom("{a} and {b}" if isinstance(primitive, And) else "{a} or {b}", node.inputs)
    if isinstance(primitive, Log1p | LibraryLog1p):
        return _log_of_one_and(node)
    if isinstance(primitive, Expm1):
        return Idiom("exp({0}) − 1", node.inputs)
    if isinstance(primitive, Mul):
        return _squared(*node.inputs)
    if isinstance(primitive, Add):
        return _with_logits(node) or _softplus(node)
    if isinstance(primitive, Div | Sub):
        return _softmax(node, values) or (_of_probabilities(node, values) if isinstance(primitive, Sub) else None)
    return None


def same(node: Node) -> Node:
    """What a value is, element by element, in another type or memory."""
    while isinstance(node.primitive, Cast | Copy | Detach):
        node = node.inputs[0]
    return node


def _squared(product: Node, factor: Node) -> Idiom | None:
    """a x x, which is a x²."""
    twice = isinstance(product.primitive, Mul) and product.inputs[1] is factor is not product.inputs[0]
    return Idiom("{a} · {b}²", (product.inputs[0], factor)) if twice else None


def bounded(node: Node) -> Idiom | None:
    """What is at least, or at most, a bound."""
    condition, then, other = node.inputs
    if isinstance(condition.primitive, Or) and isinstance(condition.inputs[1].primitive, IsNan):
        passed, bound = condition.inputs[0], condition.inputs[1].inputs[0]
        beyond = isinstance(passed.primitive, Less | Greater) and passed.inputs == (other, then)
        if beyond and same(bound) is same(then):
            return Idiom(f"{'max' if isinstance(passed.primitive, Less) else 'min'}({{0}}, {{1}})", (then, other))
    above = isinstance(condition.primitive, Greater) and same(then) is same(condition.inputs[0])
    zero = above and _is_number(condition.inputs[1], 0) and _is_number(other, 0)
    return Idiom("max(0, {0})", (then,)) if zero else None


def _chosen(node: Node) -> Idiom | None:
    condition, then, other = node.inputs
    if same(then) is same(other):
        return Idiom("{0}", (then,))
    if isinstance(condition.primitive, Greater) and _is_number(condition.inputs[1], 0):
        z = same(condition.inputs[0])
        if same(other) is z and isinstance(then.primitive, Neg) and same(then.inputs[0]) is z:
            return Idiom("−|{0}|", (other,))
    return None


def _log_of_one_and(node: Node) -> Idiom:
    (operand,) = node.inputs
    if isinstance(operand.primitive, Neg):
        return Idiom("log(1 − {a})", operand.inputs)
    return Idiom("log(1 + {0})", (operand,))


# --- log(1 + exp(z)) -----------------------------------------------------------------------------------------------


def _softplus(node: Node) -> Idiom | None:
    high, rest = node.inputs
    z = _positive_part(high)
    return Idiom("log(1 + exp({0}))", (z,)) if z is not None and _rest_of(rest) is same(z) else None


def _positive_part(node: Node) -> Node | None:
    """Of max(0, z), z."""
    if isinstance(node.primitive, Relu):
        return node.inputs[0]
    found = bounded(node) if isinstance(node.primitive, Where) else None
    return found.operands[0] if found is not None and found.notation == "max(0, {0})" else None


def _rest_of(node: Node) -> Node | None:
    """Of log(1 + exp(−|z|)), z."""
    if not isinstance(node.primitive, Log1p | LibraryLog1p) or not isinstance(node.inputs[0].primitive, Exp):
        return None
    (inner,) = node.inputs[0].inputs
    found = _chosen(inner) if isinstance(inner.primitive, Where) else None
    return same(found.operands[0]) if found is not None and found.notation == "−|{0}|" else None


def _with_logits(node: Node) -> Idiom | None:
    """(1 − y) z + max(0, z) − z + log(1 + exp(−|z|)): binary cross-entropy of a score z, the sigmoid within."""
    first, rest = node.inputs
    if not isinstance(first.primitive, Add):
        return None
    (missed, below), weights = first.inputs, list[Node]()
    if isinstance(below.primitive, Mul) and isinstance(rest.primitive, Mul) and below.inputs[0] is rest.inputs[0]:
        weights, below, rest = [below.inputs[0]], below.inputs[1], rest.inputs[1]
    z = _rest_of(rest)
    if z is None or not (isinstance(missed.primitive, Mul) and isinstance(below.primitive, Sub)):
        return None
    (no, score), (high, taken) = missed.inputs, below.inputs
    if same(_positive_part(high) or high) is not z or same(taken) is not z or same(score) is not z:
        return None
    if not isinstance(no.primitive, Sub) or not _is_number(no.inputs[0], 1):
        return None
    y = no.inputs[1]
    if not weights:
        return Idiom("−({a} · log(sigmoid({1})) + (1 − {a}) · log(1 − sigmoid({1})))", (y, score))
    weight = _weight_of_yes(weights[0], y)
    notation = "−({c} · {a} · log(sigmoid({1})) + (1 − {a}) · log(1 − sigmoid({1})))"
    return None if weight is None else Idiom(notation, (y, score, weight))


def _weight_of_yes(share: Node, y: Node) -> Node | None:
    """Of (w − 1) y + 1, which is w where y is 1 and 1 where it is 0, w."""
    if not isinstance(share.primitive, Add) or not _is_number(share.inputs[1], 1):
        return None
    product = share.inputs[0]
    if not isinstance(product.primitive, Mul) or same(product.inputs[1]) is not same(y):
        return None
    less = product.inputs[0]
    while less.inputs and not isinstance(less.primitive, Sub):  # spread over the elements
        less = less.inputs[0]
    return less.inputs[0] if isinstance(less.primitive, Sub) else None


# --- softmax -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Softmax:
    """exp(z − m) / sum(exp(z − m)), or its logarithm, where m is the largest z.

    Attributes:
        z: the scores.
        below: z − m.
        total: the sum.
    """

    z: Node
    below: Node
    total: Node


def _softmax(node: Node, values: Mapping[int, Array]) -> Idiom | None:
    found = softmax_of(node, values)
    if found is None:
        return None
    share, instead = "exp({0}) / {b}", {found.below.id: found.z}
    operands = found.z, found.total
    if isinstance(node.primitive, Div):
        return Idiom("softmax({0})", (found.z,), Idiom(share, operands, None, instead))
    return Idiom("log(softmax({0}))", (found.z,), Idiom(f"log({share})", operands, None, instead))


def softmax_of(node: Node, values: Mapping[int, Array]) -> Softmax | None:
    """The softmax that a value is, or is the logarithm of; None if exp(z) is no number, and needs m."""
    found = _softmax_parts(node) if isinstance(node.primitive, Div | Sub) else None
    known = None if found is None else values.get(found.z.id)
    if known is None or np.any(np.abs(known[np.isfinite(known)]) > LARGEST_EXPONENT):
        return None
    return found


def _softmax_parts(node: Node) -> Softmax | None:
    above, under = same(node.inputs[0]), _without(node.inputs[1], Broadcast, Cast, Copy)
    if isinstance(node.primitive, Sub) and isinstance(under.primitive, Log):
        below, total = above, under.inputs[0]
    elif isinstance(node.primitive, Div) and isinstance(above.primitive, Exp):
        below, total = same(above.inputs[0]), under
    else:
        return None
    added = _without(total, Reshape, Cast, Copy)
    if not isinstance(added.primitive, Sum) or not isinstance(below.primitive, Sub) or total.rank != node.rank:
        return None
    power, (z, largest) = same(added.inputs[0]), below.inputs
    is_of_below = isinstance(power.primitive, Exp) and same(power.inputs[0]) is below
    return Softmax(z, below, total) if is_of_below and _is_largest_of(largest, z) else None


def _is_largest_of(node: Node, z: Node) -> bool:
    """Whether a value is the largest of each row of another, through which no gradient goes."""
    node = _without(node, Detach, Cast, Copy, Broadcast, Reshape)
    return isinstance(node.primitive, Max) and same(node.inputs[0]) is same(z)


def _without(node: Node, *carriers: type[Primitive]) -> Node:
    while isinstance(node.primitive, carriers):
        node = node.inputs[0]
    return node


# --- logarithms of probabilities -----------------------------------------------------------------------------------


def _of_probabilities(node: Node, values: Mapping[int, Array]) -> Idiom | None:
    """(y − 1) log(1 − p) − y log p, each logarithm at least -100."""
    no, yes = node.inputs
    if not isinstance(no.primitive, Mul) or not isinstance(yes.primitive, Mul):
        return None
    less, y = no.inputs[0], yes.inputs[0]
    if not isinstance(less.primitive, Sub) or not _is_number(less.inputs[1], 1) or less.inputs[0] is not y:
        return None
    of_yes, of_no = (_bounded_log(one, values) for one in (yes.inputs[1], no.inputs[1]))
    if of_yes is None or of_no is None or not isinstance(of_no[0].primitive, Neg):
        return None
    p = of_yes[0]
    if same(of_no[0].inputs[0]) is not same(p):
        return None
    log = "max({0}, −100)".format if of_yes[1] or of_no[1] else "{0}".format
    return Idiom("−({a} · " + log("log({1})") + " + (1 − {a}) · " + log("log(1 − {b})") + ")", (y, p))


def _bounded_log(node: Node, values: Mapping[int, Array]) -> tuple[Node, bool] | None:
    """What the logarithm is of, and whether it met its bound anywhere."""
    if not isinstance(node.primitive, Where) or not isinstance(node.inputs[2].primitive, Log | Log1p | LibraryLog1p):
        return None
    low, inner = node.inputs[0], node.inputs[2].inputs[0]
    if not isinstance(inner.primitive, Where) or inner.inputs[0] is not low:
        return None
    met = values.get(low.id)
    return inner.inputs[2], met is None or bool(np.any(met))


def _is_number(node: Node, number: float) -> bool:
    while node.inputs and not isinstance(node.primitive, Full):
        if len(node.inputs) > 1:
            return False
        node = node.inputs[0]
    return isinstance(node.primitive, Full) and node.primitive.value == number
