"""What to write instead, where Python has refused a call or an attribute before any code of Kadam's ran.

Python binds the arguments of a call, and looks attributes up, by itself: that is why a known call costs so little. Its
own words say what is wrong; what would be right is found here, once the error is there.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import sys
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import wraps
from itertools import islice
from types import FrameType, TracebackType
from typing import Any, TypeVar

from kadam.missing import closest_member, describe_name, is_name_of_pytorch
from kadam.recording.arguments import shown
from kadam.recording.tensor import made

Class = TypeVar("Class", bound=type)

# Python's words where arguments do not fit the parameters: `Linear.__init__() missing 1 required positional argument`.
_REFUSED = re.compile(
    r"(?:[\w.<>]*?(?P<owner>\w+)\.)?(?P<name>\w+)\(\) "
    r"(?:missing|takes|got (?:an unexpected keyword argument '(?P<unknown>\w+)'|multiple|some positional))"
)
_ALIKE = 0.5  # of 1: a function has few parameters, so that a vague likeness is worth telling
_ROOMS = [
    "kadam", "kadam.nn", "kadam.nn.functional", "kadam.nn.init", "kadam.nn.utils", "kadam.optim",
    "kadam.optim.lr_scheduler", "kadam.linalg", "kadam.utils.data", "kadam.autograd", "kadam.distributions",
    "kadam.special", "kadam.fft", "kadam.serialization",
]  # fmt: skip
_FUNCTIONS = {"kadam.nn.functional": "torch.nn.functional", "kadam": "torch", "kadam.linalg": "torch.linalg"}
_NUMPYS = {"axis": "dim", "keepdims": "keepdim"}  # names that every function with those parameters takes too


# --- calls ------------------------------------------------------------------------------------------------------------


def mend(error: TypeError) -> None:
    """Let an error about a call of Kadam's say which parameters there are, and which is probably meant."""
    fix = fix_of_call(error)
    if fix is not None:
        error.args = (f"{error.args[0]}. Fix: {fix}",)


def tell_constructor(kind: Class) -> Class:
    """The class, whose constructor now tells what it takes where it is called wrongly; other people's as it is."""
    function: Any = vars(kind).get("__init__")
    if function is None or not _is_ours(function):
        return kind

    @wraps(function)
    def __init__(*args: Any, **kwargs: Any) -> None:  # noqa: N807
        try:
            function(*args, **kwargs)
        except TypeError as error:
            _name_openly(error, kind, args[0])
            mend(error)
            raise

    kind.__init__ = __init__  # type: ignore[misc]
    return kind


def _name_openly(error: TypeError, kind: type, made_one: object) -> None:
    """Name the class that the user knows (`Conv2d`) where the words name an inner base of it."""
    inner = f"{kind.__qualname__}.__init__()"
    if kind.__name__.startswith("_") and str(error).startswith(inner):
        heirs = [one for one in type(made_one).__mro__ if issubclass(one, kind) and is_name_of_pytorch(one.__name__)]
        if heirs:
            error.args = (f"{heirs[-1].__name__}.__init__(){str(error)[len(inner) :]}",)


def fix_of_call(error: BaseException) -> str | None:
    """What to write instead of a call whose arguments Python could not bind; None for other errors, and other code."""
    found = _REFUSED.match(str(error)) if type(error) is TypeError and "Fix:" not in str(error) else None
    function = None if found is None else _function(error, found["owner"], found["name"])
    if found is None or function is None:
        return None
    called = found["owner"] if found["name"] in ("__init__", "__new__") else found["name"]
    try:
        signature = inspect.signature(function)
    except ValueError:
        return None
    meant = _meant(found["unknown"], signature.parameters) if found["unknown"] else None
    takes = f"{called} takes {shown(signature)}."
    return f"{meant}= in place of {found['unknown']}=; {takes}" if meant else takes


def _meant(unknown: str, parameters: Iterable[str]) -> str | None:
    """The parameter that a misspelt name stands for: `bais` for bias, `kernel` for kernel_size, `prob` for p."""
    known = [one for one in parameters if one not in ("self", "cls", "args", "kwargs", "input")]
    parts = [one for one in known if one.startswith(unknown) or unknown.startswith(one) or unknown in one.split("_")]
    if parts:
        return parts[0]
    known += [numpys for numpys, ours in _NUMPYS.items() if ours in known]
    closest = get_close_matches(unknown, known, n=1, cutoff=_ALIKE)
    return _NUMPYS.get(closest[0], closest[0]) if closest else None


def _function(error: BaseException, owner: str | None, name: str) -> Any:
    """The function that was called, or the method: of Kadam or of an heir of its classes; else None."""
    found = [one for one in (*_called(error.__traceback__, owner, name), *_named(owner, name)) if callable(one)]
    return next((one for one in found if getattr(one, "__name__", name) == name), None)


def _called(trace: TracebackType | None, owner: str | None, name: str) -> Iterator[Any]:
    """What the innermost frame was about to call, as its source names it; or the method of that."""
    frame, expression = _failing(trace)
    if frame is None:
        return
    path = ast.unparse(expression.func) if isinstance(expression, ast.Call) else ""
    scope = {**frame.f_globals, **frame.f_locals}
    called = holder = None
    if re.fullmatch(r"[\w.]+", path):
        first, *rest = path.split(".")
        called = scope.get(first)
        for part in rest:
            called, holder = getattr(called, part, None), called
    if _is_ours(called):
        yield called
    for one in (called, holder, scope.get(owner or "")):
        kind = one if isinstance(one, type) else type(getattr(one, "__self__", one))
        if any(_is_ours(base) for base in kind.__mro__):
            yield getattr(kind, name, None)


def _failing(trace: TracebackType | None) -> tuple[FrameType | None, ast.expr | None]:
    """The innermost frame, and the expression of its source that has failed; None where that is not to be had."""
    if trace is None:
        return None, None
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    line, end, column, end_column = next(islice(code.co_positions(), trace.tb_lasti // 2, None))
    if line is None or end is None or column is None:
        return trace.tb_frame, None
    lines = [linecache.getline(code.co_filename, number).encode() for number in range(line, end + 1)]
    lines[-1] = lines[-1][:end_column]
    lines[0] = lines[0][column:]
    try:
        return trace.tb_frame, ast.parse(b"".join(lines), mode="eval").body
    except (SyntaxError, ValueError):
        return trace.tb_frame, None


def _named(owner: str | None, name: str) -> Iterator[Any]:
    """Kadam's functions, or methods of its classes, of a name."""
    rooms = [vars(sys.modules[room]) for room in _ROOMS if room in sys.modules]
    if owner is None:
        yield from filter(_is_ours, [getattr(made.cls, name, None), *(room.get(name) for room in rooms)])
    else:
        for room in rooms:
            heirs = [one for one in room.values() if isinstance(one, type) and _inherits(one, owner)]
            yield from [getattr(one, name, None) for one in sorted(heirs, key=lambda one: len(one.__mro__))[:1]]


def _inherits(kind: type, name: str) -> bool:
    return any(base.__name__ == name for base in kind.__mro__)


def _is_ours(function: Any) -> bool:
    return str(getattr(function, "__module__", "")).partition(".")[0] in ("kadam", "torch")  # the name in scripts


# --- attributes -------------------------------------------------------------------------------------------------------


# What is often taken for a tensor.
_INSTEAD: dict[type, str] = {
    float: "keep the tensor: call .item() only to show its number.",
    int: "keep the tensor: call .item() only to show its number.",
    tuple: "take the tensor out of it first, as in  output, hidden = rnn(x).",
    list: "torch.tensor(data), or torch.stack(tensors) for a list of tensors.",
}


def note_on_attribute(error: AttributeError) -> str | None:
    """What to say of an attribute that an object of Kadam's lacks; None where the error says it, or nobody knows."""
    owner, name = error.obj, error.name
    kind = owner if isinstance(owner, type) else type(owner)
    if owner is None:
        return _note_on_nothing(error)
    if kind in _INSTEAD and hasattr(made.cls, name or ""):
        return f"  A Tensor has .{name}, and this is a {kind.__name__}. Fix: {_INSTEAD[kind]}"
    if not name or not any(_is_ours(base) for base in kind.__mro__):
        return None
    if not issubclass(kind, made.cls):
        return f"  Fix: {closest_member(owner, name)}"
    for room, path in _FUNCTIONS.items():
        if inspect.isroutine(vars(sys.modules[room]).get(name)):
            return f"It is a function, not a method. Fix: {path}.{name}(x)."
    return describe_name("torch.Tensor", name, dir(kind))


def _note_on_nothing(error: AttributeError) -> str | None:
    """What to say where a gradient is asked for something before there is one: `weight.grad.zero_()`."""
    _, expression = _failing(error.__traceback__)
    while isinstance(expression, ast.Call):
        expression = expression.func
    value = expression.value if isinstance(expression, ast.Attribute) else None
    if not isinstance(value, ast.Attribute) or value.attr != "grad":
        return None
    tensor = ast.unparse(value.value)
    return (
        f"  {tensor}.grad is None until a backward pass has reached {tensor}. Fix: call loss.backward() first; see "
        f"that {tensor} requires grad, and that the loss is computed from it."
    )


# --- objects used as what they are not --------------------------------------------------------------------------------

_MISUSED = re.compile(r"'(?:\w+\.)*(\w+)' object is not (callable|subscriptable|an iterator)")
_BESIDE_ARRAY = re.compile(
    r"unsupported operand .*'numpy\.ndarray' and '(?:Tensor|Parameter)'|Concatenation operation is not"
)
_A_VALUE = "leave the parentheses away: it is a value, not a function; layers are called, not weights."
_RIGHT_USES = {
    ("DataLoader", "an iterator"): "next(iter(loader)).",
    ("DataLoader", "subscriptable"): "loader.dataset[index], or next(iter(loader)) for a batch.",
    ("Size", "callable"): "leave the parentheses away: x.shape, or x.size().",
    ("Tensor", "callable"): _A_VALUE,
    ("Parameter", "callable"): _A_VALUE,
    ("dtype", "callable"): "x.to(torch.float32), or torch.tensor(data, dtype=torch.float32).",
    ("module", "callable"): "call a class or function that is in it: optim.Adam(...), not optim.adam(...).",
}


def note_on_use(error: TypeError) -> str | None:
    """What to write instead where an object of Kadam's was called, indexed or asked for its next element."""
    if _BESIDE_ARRAY.match(str(error)):
        return "  Fix: make the array a tensor first: torch.from_numpy(array)."
    found = _MISUSED.search(str(error))
    fix = None if found is None else _RIGHT_USES.get((found[1], found[2]))
    return None if fix is None else f"  Fix: {fix}"
