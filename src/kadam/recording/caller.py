"""The function that calls an operation, generated as `dataclass` generates `__init__`.

A call that the trail knows costs one look-up: the generated code computes the key from the arguments by their roles
(`kadam.recording.operation` lists them).
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

from kadam import hot
from kadam.errors import KadamError
from kadam.recording import calls
from kadam.recording.older_order import absent, in_older_order, more_parameters
from kadam.recording.operand import admit, admit_all, admit_number
from kadam.recording.pause import uncollected
from kadam.recording.refused import mend
from kadam.recording.step import CallAgain, state
from kadam.recording.tensor import Recorded, alias, made, sees_now

if TYPE_CHECKING:
    from kadam.recording.operation import Operation

# A float becomes a feed at once (`append` returns None).
_NUMBER = (
    "(float if {p}.__class__ is float and not _rec.feeds.append({p}) and not _rec.values.append({p}) "
    "else number(_rec, {p}))"
)
_KEY = {
    "operand": "({p}._pos if {p}._rec is _rec else admit(_rec, {p}))",
    "optional": "(None if {p} is None else {p}._pos if {p}._rec is _rec else admit(_rec, {p}))",
    "mixed": (
        "(({p}._pos if {p}._rec is _rec else admit(_rec, {p})) if isinstance({p}, Recorded) else number(_rec, {p}))"
    ),
    "mixed_optional": (
        "(None if {p} is None else ({p}._pos if {p}._rec is _rec else admit(_rec, {p})) "
        "if isinstance({p}, Recorded) else number(_rec, {p}))"
    ),
    "list": "admit_all(_rec, {p})",
    "state": "admit_all(_rec, {p})",
    "list_optional": "tuple([None if t is None else t._pos if t._rec is _rec else admit(_rec, t) for t in {p}])",
    "number": _NUMBER,
    "number_default": "(None if {p} is {p}_default else " + _NUMBER + ")",
    "number_optional": "(None if {p} is None else " + _NUMBER + ")",
    "fixed": "({p}.__class__, {p})",
    "raw": "{p}",
    "static": "({p} if {p}.__class__ in PLAIN else freeze({p}))",
}
# A call. If the step ends inside, no call is known where the recording stands then.
_CALLER = """
def {name}({signature}):
{older}    _rec = state.rec
    if _rec is None:
        return inner(op, ({arguments}))
    if _rec.ending and ends(_rec, ({arguments}), {differentiable}):
        _rec = state.rec
{seen}    try:
        _key = (op, {key})
        _node = _rec.here.get(_key)
    except CallAgain:
        return {name}({passing})
    except (AttributeError, TypeError, KadamError) as error:
        return refuse(op, _rec, ({arguments}), error)
    except BaseException:  # Ctrl-C: what was admitted belongs to no call
        _rec.roll_back()
        raise
    if _node is None:
        if _rec.open:
            return first_sight(op, _rec, _key, ({arguments}))
        end_step(_rec)
        return {name}({passing})
    _rec.here = _node
    if _node.plain:
        return create(_rec, _node.spec)
    return _node.assemble(_rec, _node, ({arguments}))
"""
_SEEN = """\
    if {first}.__class__ is made.cls and {first}._array is not None and sees_now(_rec, {first}):
        return see_now(op, ({arguments}))
"""


_OLDER = """\
    if more_0 is not absent:
        return in_older_order({name}, op, ({positional}), ({options}), {out})
"""


def caller_of(op: Operation) -> Callable[..., Any]:
    """The function that calls an operation. Its code is generated at its first call: most operations get none."""
    names: dict[str, Any] = {f"{name}_default": value for name, value in op.defaults.items()}
    names.update(
        op=op, state=state, made=made, admit=admit, admit_all=admit_all, number=admit_number, Recorded=Recorded,
        PLAIN=calls.PLAIN, freeze=calls.freeze, inner=calls.inner, end_step=calls.end_step, KadamError=KadamError,
        CallAgain=CallAgain, ends=calls.ends,
        refuse=calls.refuse, first_sight=calls.first_sight, create=calls.create, sees_now=sees_now, see_now=_see_now,
        mend=mend, absent=absent, in_older_order=in_older_order,
    )  # fmt: skip
    taken = names.keys() & set(op.names)
    if taken:
        raise TypeError(f"{op.name}: a parameter may not be named {min(taken)!r}: the generated caller uses that name")

    def generate() -> Callable[..., Any]:
        with uncollected():  # Python 3.11 does not bear finalisers while it parses
            tree = ast.parse(source_of(op))
            exec(compile(tree, f"<call of {op.name}>", "exec"), names)
        generated = names[op.name]
        caller.__code__ = generated.__code__
        caller.__defaults__, caller.__kwdefaults__ = generated.__defaults__, generated.__kwdefaults__
        names[op.name] = caller
        hot.callers[caller] = tree
        return caller

    names["generate"] = generate
    caller = FunctionType(_first_call.__code__, names, op.name)
    op.caller = caller
    return caller


def _first_call(*args: Any, **kwargs: Any) -> Any:
    try:
        return generate()(*args, **kwargs)  # type: ignore[name-defined]  # noqa: F821  (a name of each caller's own)
    except TypeError as error:
        mend(error)
        raise


def source_of(op: Operation, out: str = "None") -> str:
    """The text of the function that calls an operation; `out` is its argument of that name, if it takes one."""
    arguments = "".join(f"{name}, " for name in op.names)
    signature, key = [], []
    for name, role in zip(op.names, op.roles, strict=True):
        if name in op.keyword_only and "*" not in signature:
            signature += [*[f"{more}=absent" for more in more_parameters(op)], "*"]
        signature.append(f"{name}={name}_default" if name in op.defaults else name)
        has_default = role == "number" and name in op.defaults
        key.append(_KEY["number_default" if has_default else role].format(p=name))
    return _CALLER.format(
        name=op.name,
        signature=", ".join(signature),
        arguments=arguments,
        differentiable=op.differentiable,
        key="".join(f"{part}, " for part in key),
        passing=", ".join(f"{name}={name}" for name in op.names),
        older=_older_of(op, out) if op.older else "",
        seen=_SEEN.format(first=op.names[0], arguments=arguments) if op.chain_of is not None else "",
    )


def _older_of(op: Operation, out: str) -> str:
    positional = [*[name for name in op.names if name not in op.keyword_only], *more_parameters(op)]
    return _OLDER.format(
        name=op.name,
        positional=", ".join(positional),
        options="".join(f"{name}, " for name in sorted(op.keyword_only)),
        out=out,
    )


def _see_now(op: Operation, arguments: tuple[Any, ...]) -> Any:
    assert op.chain_of is not None
    tensor, *rest = arguments
    try:
        chain = tuple(op.chain_of(tensor, *[calls.structure(one) for one in rest]))
    except (AttributeError, TypeError, ValueError):
        calls.check_call(op, arguments)
        raise
    return alias(tensor, chain)
