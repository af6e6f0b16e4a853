"""Compiled Python: it does what Python does, holds as many references, and refuses what it does not know."""

from __future__ import annotations

import gc
import linecache
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

pytest.importorskip("llvmlite", reason="the native engine needs llvmlite")

from kadam import hot
from kadam.engines.native import cpython
from kadam.engines.native.own import jump
from kadam.engines.native.own.unit import Refused

if cpython.layout() is None or sys.version_info >= (3, 14):
    pytest.skip("how Python's objects lie is not known here", allow_module_level=True)


@hot.slotted
class Pair:
    __slots__ = ("a", "b")

    def __init__(self, a: Any, b: Any) -> None:
        self.a = a
        self.b = b

    def both(self) -> Any:
        return self.a, self.b


class Wide(Pair):
    """Not marked: its slots are read as any attribute is."""


class Lacking(Pair):
    @property
    def a(self) -> Any:  # type: ignore[override]
        raise KeyError("a")


def arithmetic(x, y):
    z = x * y - x
    z += y
    return z, -x, ~y, x / y, x // y, x % y, x**2, x & y, x | y, not x


def comparisons(x, y):
    return x < y, x <= y, x == y, x != y, x > y, x >= y, x is y, x is not y, x in (1, 2), y not in [3]


def choices(x, y):
    if (x and not y) or x == 3:
        return "first" if y else "second"
    elif (found := x or y) is None:
        return found
    return x or y, x and y, 0 or None or x, found


def loops(items, other):
    total, seen = 0, []
    for index, item in enumerate(items):
        if item is None:
            continue
        if item == 99:
            break
        for one, two in zip(items, other):  # noqa: B905  (without `strict`, as the hot functions write it)
            total = total + (one or 0) * two
        seen.append((index, item))
    while total > 10:
        total -= 7
        if total == 12:
            break
    return total, seen, [x for x in items if x is not None and x > 1], [[y for y in other if y] for _ in items]


def strictly(items, other):
    return [(one, two) for one, two in zip(items, other, strict=True)]


def containers(x, y):
    made = {"x": x, y: [x, y]}
    made["z"], first = (x, *made, y), made[y][0]
    del made["x"]
    row = [x, y, x, y]
    row[1:3] = [first]
    del row[0]
    return made, row, row[::2], row[-1], tuple(row), len(row), made.get("z"), made.get("nothing"), max(*row, 0)


def attributes(pair, value):
    before = pair.a
    pair.a, pair.b = pair.b, before
    pair.a = value
    pair.b += 1
    return pair.both(), pair.a is value, pair.a.__class__, isinstance(pair, Pair)


def made(x, y):
    pair = Pair(x, b=y)
    other = object.__new__(Pair)
    other.a = pair
    return other.a.both(), other.a.both()[0] is x


def caught(action, x):
    try:
        try:
            action(x)
        finally:
            x.append("finally")
    except (KeyError, AttributeError) as error:
        return type(error), str(error), x
    except ValueError:
        x.append("value")
        raise TypeError("another") from None
    return "fine", x


def left_early(items):
    for item in items:
        try:
            if item == 2:
                continue
            if item == 3:
                return "returned"
            if item == 4:
                break
        finally:
            items[0] += 10
    return items


def unbound(x):
    if x:
        value = 1
    return value


def unpacked(x):
    (a, (b, c)), d = x
    return d, c, b, a


def keywords(a, b=2, *, c=3):
    return a, b, c, sorted([a, b, c], key=lambda_less, reverse=True), keywords(1, c=a) if a > 3 else None


def lambda_less(x):
    return -x


def counted(x):
    held = [x]
    return sys_getrefcount(x) - sys_getrefcount(held[0])


from sys import getrefcount as sys_getrefcount  # noqa: E402


def raising(kind):
    raise kind


def raise_key(x):
    raise KeyError("lost")


def raise_value(x):
    raise ValueError("bad")


def do_nothing(x):
    return None


NAN = float("nan")


def chosen(f, c):
    return f() if c else [f() for _ in (1, 2)]


def shadowed(x):
    return [x for x in x], x  # noqa: C416


def sized(x):
    return len(x) == None, len(x) == 2, 1 < len(x)  # noqa: E711, SIM300


def passed_on(x):
    return defaulted(x), defaulted(x, c=9), keywords(b=x, a=1), defaulted is FUNCTIONS[-1]


def defaulted(a, b=7, *, c=8):
    return a, b, c


class Named:
    def told(self, x):
        return "Named", x

    def failing(self, x):
        raise KeyError(x)


class Louder(Named):
    def told(self, x):
        return "Louder", Named.told(self, x)


class Other(Named):
    """Not compiled: its method is called as Python does it."""

    @staticmethod
    def told(x):
        return "Other", x


class Plain:
    """Its method is found by `__getattr__`, and is bound."""

    def __getattr__(self, name):
        return (lambda x: (name, x)) if name == "told" else object.__getattribute__(self, name)


def with_own(method):
    one = Named()
    one.told = method
    return one


def methods(one, x):
    return one.told(x), one.told([x]), [one.told(y) for y in (x, x)], one.failing(x) if x == 2 else None


def again_and_again(x):
    return again_and_again(x - 1) + 1 if x > 0 else 0


FUNCTIONS = [
    arithmetic, comparisons, choices, loops, containers, attributes, made, caught, left_early, unbound, unpacked,
    keywords, lambda_less, counted, raising, strictly,
    chosen, shadowed, sized, passed_on, again_and_again, methods, Named.told, Louder.told, Named.failing, defaulted,
]  # fmt: skip

CALLS: list[tuple[str, Any]] = [
    *[("arithmetic", lambda x=x, y=y: (x, y)) for x, y in ((7, 3), (-4, 5), (2**70, 9), (3, 0), ("a", 2), (True, 2))],
    ("comparisons", lambda: (NAN, NAN)),
    *[("comparisons", lambda x=x, y=y: (x, y)) for x, y in ((1, 2), (2, 1), (2, 2), ("a", 1), (1.5, float("nan")))],
    *[("choices", lambda x=x, y=y: (x, y)) for x, y in ((0, 0), (1, 0), (1, 1), (None, None), (3, ""), ([], 5))],
    *[("loops", lambda a=a, b=b: (list(a), list(b))) for a, b in (
        ((1, None, 3), (4, 5, 6, 7)), ((), ()), ((1, 99, 3), (0, 2, 1)), ((2, "x"), (1, 2)))],
    ("loops", lambda: (3, [])), ("loops", lambda: ((1, 2, 3), iter((5, 6)))),
    ("chosen", lambda: (dict, 1)), ("chosen", lambda: (dict, 0)), ("shadowed", lambda: ((1, 2),)),
    ("sized", lambda: ((1, 2),)), ("passed_on", lambda: (5,)), ("again_and_again", lambda: (20,)),
    ("again_and_again", lambda: (10**6,)),
    *[("methods", lambda cls=cls, x=x: (cls(), x)) for cls in (Named, Louder, Other, Plain, object) for x in (1, 2)],
    *[("methods", lambda f=f: (with_own(f), 1)) for f in (Named.told, lambda_less, Other().told, None)],
    ("strictly", lambda: ((1, 2), (3, 4))), ("strictly", lambda: ((1, 2), (3,))),
    ("containers", lambda: (1, 2)), ("containers", lambda: (1, [])), ("containers", lambda: ("p", "q")),
    *[("attributes", lambda cls=cls: (cls(1, 2), 5)) for cls in (Pair, Wide)],
    ("attributes", lambda: (Pair(1, "x"), 5)), ("attributes", lambda: (object(), 5)),
    ("attributes", lambda: (object.__new__(Pair), 1)), ("attributes", lambda: (object.__new__(Lacking), 1)),
    ("made", lambda: (1, 2)), ("made", lambda: ([], None)),
    *[("caught", lambda f=f: (f, [1])) for f in (raise_key, raise_value, do_nothing, None)],
    ("left_early", lambda: ([0, 2, 5, 3],)), ("left_early", lambda: ([0, 2, 4, 3],)), ("left_early", lambda: ([0, 1],)),
    ("unbound", lambda: (1,)), ("unbound", lambda: (0,)),
    ("unpacked", lambda: (((1, (2, 3)), 4),)), ("unpacked", lambda: (((1, (2,)), 4),)),
    ("keywords", lambda: (1,)), ("keywords", lambda: (7,)), ("counted", lambda: (object(),)),
    ("raising", lambda: (KeyError,)), ("raising", lambda: (ValueError("x"),)),
]  # fmt: skip


ADDRESS = re.compile("0x[0-9a-f]+")


def twin(function: FunctionType) -> FunctionType:
    copied = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    copied.__kwdefaults__ = function.__kwdefaults__
    return copied


@pytest.fixture(scope="module")
def pairs() -> dict[str, tuple[FunctionType, FunctionType]]:
    """Each function as Python runs it, and compiled."""
    originals = {one.__name__: twin(one) for one in FUNCTIONS}
    jump.install([{one: jump.tree_of(one) for one in FUNCTIONS}])
    return {name: (original, globals()[name]) for name, original in originals.items() if name in globals()}


def outcome(function: FunctionType, arguments: tuple[Any, ...]) -> Any:
    try:
        result = function(*arguments)
    except Exception as error:
        return type(error), "" if isinstance(error, UnboundLocalError | ValueError) else str(error), repr(arguments[1:])
    return repr(result), repr(arguments[1:])


@pytest.mark.parametrize("index", range(len(CALLS)), ids=[f"{name}{at}" for at, (name, _) in enumerate(CALLS)])
def test_it_does_what_python_does(pairs: Any, index: int) -> None:
    name, arguments = CALLS[index]
    original, compiled = pairs[name]
    assert compiled.__code__.co_consts, "it was not compiled"
    wanted, found = outcome(original, arguments()), outcome(compiled, arguments())
    assert ADDRESS.sub("", str(found)) == ADDRESS.sub("", str(wanted))


@pytest.mark.parametrize("index", range(len(CALLS)), ids=[f"{name}{at}" for at, (name, _) in enumerate(CALLS)])
def test_it_keeps_no_references(pairs: Any, index: int) -> None:
    name, arguments = CALLS[index]
    _, compiled = pairs[name]
    outcome(compiled, arguments())
    shared = [one for one in (None, (), *arguments(), Pair, KeyError) if not isinstance(one, int)]
    before = [sys.getrefcount(one) for one in shared]
    for _ in range(200):
        outcome(compiled, arguments())
    gc.collect()
    after = [sys.getrefcount(one) for one in shared]
    assert all(other < one + 50 for one, other in zip(before, after, strict=True)), [before, after]


@pytest.mark.parametrize(
    "source",
    ["def f(x):\n    yield x", "def f(x):\n    with x: pass", "def f(x):\n    return lambda: 1",
     "def f(x):\n    return f'{x}'", "def f(x):\n    global y\n    y = x", "def f(x):\n    return {a for a in x}",
     "def f(x):\n    import os", "def f(*x):\n    return x", "def f(**x):\n    return x",
 "def f(x):\n    return nobody_knows_this(x)", "def f(x):\n    for y in x:\n        del y",
     "def f(x):\n    return (y := x) + y", "def f(x):\n    return 1 < x < 2"],
)  # fmt: skip
def test_what_it_does_not_know_is_refused(source: str) -> None:
    import ast

    space: dict[str, Any] = {}
    exec(source, space)
    (tree,) = ast.parse(source).body
    with pytest.raises(Refused, match="f, line"):
        jump.install([{space["f"]: tree}])
    assert space["f"].__code__.co_filename == "<string>"


def test_a_closure_is_refused() -> None:
    outer = 3

    def inner(x: int) -> int:
        return x + outer

    with pytest.raises(Refused, match="closure"):
        jump.install([{inner: jump.tree_of(inner)}])


def test_a_function_stays_the_object_it_is(pairs: Any) -> None:
    _, compiled = pairs["keywords"]
    assert compiled is keywords
    assert compiled(1, 5, c=6)[:3] == (1, 5, 6)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'a'"):
        compiled()
    with pytest.raises(TypeError, match="unexpected keyword argument 'd'"):
        compiled(1, d=3)


TRAIN = """
import torch
from torch import nn
from kadam.recording import tiers
tiers.WARM = {warm}
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))
optimizers = [torch.optim.Adam(model.parameters(), lr=0.01), torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)]
loss_of = nn.CrossEntropyLoss()
x, y = torch.randn(64, 4), torch.randint(0, 3, (64,))
for step in range(60):
    optimizer = optimizers[step % 2]
    optimizer.zero_grad(set_to_none=step % 3 > 0)
    batch = slice(step % 4 * 16, step % 4 * 16 + (16 if step % 5 else 9))
    loss = loss_of(model(x[batch]), y[batch])
    if step % 7 == 0:
        print(loss.item())
    loss.backward()
    if step % 6 == 0:
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step == 30:
        model[0].weight.requires_grad_(False)
try:
    model(torch.randn(3, 5))
except RuntimeError as error:
    print(str(error).splitlines()[0])
print([float(p.sum()) for p in model.parameters()])
from kadam.engines.native.own import jump
import sys
print(len(jump._compiled) > 20, jump._given_up, file=sys.stderr)
"""


def trained(tmp_path: Path, warm: int, **environment: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / f"train{warm}.py"
    script.write_text(TRAIN.format(warm=warm))
    return subprocess.run(
        [sys.executable, "-m", "kadam", "run", str(script)], capture_output=True, text=True, check=True,
        env={**os.environ, **environment},
    )  # fmt: skip


def test_training_prints_the_same_compiled_and_not(tmp_path: Path) -> None:
    compiled, plain = trained(tmp_path, 1), trained(tmp_path, 1_000)
    assert compiled.stdout == plain.stdout
    assert compiled.stderr.strip() == "True []"
    assert plain.stderr.strip() == "False []"


def test_counting_by_python_s_own_functions_is_the_same(tmp_path: Path) -> None:
    script = tmp_path / "by_python.py"
    script.write_text("import sys\nsys.version_info = (3, 13, 0)\n" + TRAIN.format(warm=1))
    found = subprocess.run([sys.executable, "-m", "kadam", "run", str(script)], capture_output=True, text=True)
    assert found.stdout == trained(tmp_path, 1_000).stdout, found.stderr


def test_what_the_source_no_longer_says_is_refused(tmp_path: Path) -> None:
    import importlib.util

    path = tmp_path / "edited.py"
    path.write_text("def f(x):\n    return x + 1\n")
    spec: Any = importlib.util.spec_from_file_location("edited", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert jump.tree_of(module.f).name == "f"
    path.write_text("def f(x):\n    return x + 2\n")
    linecache.checkcache()
    with pytest.raises(OSError, match="not what was imported"):
        jump.tree_of(module.f)
    path.unlink()
    linecache.checkcache()
    with pytest.raises(OSError, match="no source"):
        jump.tree_of(module.f)


def test_another_thread_has_its_own_recording() -> None:
    import kadam as torch

    def work(found: list[Any]) -> None:
        torch.manual_seed(1)
        layer = torch.nn.Linear(3, 2)
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        data = torch.arange(12.0).reshape(4, 3) / 12
        for _ in range(40):
            optimizer.zero_grad()
            loss = layer(data).square().mean()
            loss.backward()
            optimizer.step()
        found.append(loss.item())

    alone: list[float] = []
    work(alone)
    together: list[float] = []
    threads = [threading.Thread(target=work, args=(together,)) for _ in range(2)]
    for thread in threads:  # the generator is one for all: each makes its layer before the next begins
        thread.start()
        thread.join()
    work(together)
    assert together == alone * 3
