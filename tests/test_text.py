"""A graph is read back from its text exactly as it was."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

from graphs import graph_of
from kadam.dtypes import bfloat16, dtype, float32
from kadam.errors import TextError
from kadam.ir.builder import Builder, building, emit
from kadam.ir.graph import Graph, Node, Phase, Source
from kadam.ir.primitive import Example, Primitive
from kadam.ir.text import parse, to_text
from kadam.ir.types import TensorType, parse_type
from kadam.ir.verify import verify
from kadam.primitives.broadcast import summed
from kadam.primitives.sources import Full, Input

EXAMPLES = [example for primitive in Primitive.registry().values() for example in primitive.examples()]


def same(a: Any, b: Any) -> bool:
    """Equal in type and value; nan equals nan, 0.0 does not equal -0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float | complex):
        return repr(a) == repr(b)
    return bool(a == b)


def assert_same_graph(a: Graph, b: Graph) -> None:
    assert len(a) == len(b)
    for one, other in zip(a.nodes, b.nodes, strict=True):
        assert type(one.primitive) is type(other.primitive)
        for field in fields(one.primitive):
            assert same(getattr(one.primitive, field.name), getattr(other.primitive, field.name))
        assert [source.id for source in one.inputs] == [source.id for source in other.inputs]
        assert all(source is b.nodes[source.id] for source in other.inputs)
        for name in ("id", "type", "phase", "scope", "source", "origin"):
            assert getattr(one, name) == getattr(other, name), name
    for name in ("inputs", "outputs"):
        assert [node.id for node in getattr(a, name)] == [node.id for node in getattr(b, name)]
    assert [(k.id, v.id) for k, v in a.updates.items()] == [(k.id, v.id) for k, v in b.updates.items()]


def assert_round_trip(graph: Graph) -> str:
    text = to_text(graph)
    again = parse(text)
    assert_same_graph(graph, again)
    assert to_text(again) == text
    return text


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.primitive!r} {example.types}")
def test_every_primitive_is_read_back(example: Example) -> None:
    graph = graph_of(lambda *inputs: emit(example.primitive, *inputs), *example.input_types())
    assert_round_trip(graph)
    verify(parse(to_text(graph)))


def test_a_step_is_readable() -> None:
    with building(Builder()) as builder:
        x, w = (emit(Input(parse_type(text))) for text in ("f32[32,10]", "f32[10]"))
        builder.scope, builder.source = "encoder.fc1", Source("train.py", 41)
        y = x * x
        builder.phase, builder.scope, builder.origin = Phase.BACKWARD, "", y.id
        gradient = summed(y, (0,))
        builder.phase, builder.source, builder.origin = Phase.UPDATE, None, None
        updated = w - gradient
    graph = Graph(tuple(builder.nodes), (x, w), (y,), {w: updated})
    assert assert_round_trip(graph) == (
        "%0  f32[32,10] = Input(type=f32[32,10])  forward\n"
        "%1  f32[10]    = Input(type=f32[10])     forward\n"
        "%2  f32[32,10] = Mul(%0, %0)             forward   encoder.fc1 train.py:41\n"
        "%3  f32[10]    = Sum(%2, axes=(0,))      backward  train.py:41 of %2\n"
        "%4  f32[10]    = Sub(%1, %3)             update\n"
        "inputs %0, %1\n"
        "outputs %2\n"
        "updates %1 <- %4\n"
    )


@pytest.mark.parametrize(
    "value",
    [0, -3, True, 0.0, -0.0, 1e-300, 1.5e20, math.nan, math.inf, -math.inf, 2 - 3j, complex(math.nan, -0.0)],
    ids=repr,
)
def test_numbers(value: complex) -> None:
    assert_round_trip(graph_of(lambda: emit(Full(value, (2,), float32))))


@dataclass(frozen=True)
class Anything(Full):
    """A primitive with an attribute of any kind."""

    extra: Any = None

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return ()


del Primitive._named["Anything"]  # the registry stays that of Kadam


@pytest.fixture
def anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Primitive._named, "Anything", Anything)


@pytest.mark.usefixtures("anything")
@pytest.mark.parametrize(
    "extra",
    [
        None,
        (),
        (1,),
        ((1, 2), (3.5, None)),
        "plain",
        'it\'s "so", \\ (x=1) %3\n',
        bfloat16,
        parse_type("bf16[]"),
        (bfloat16, "a"),
    ],
    ids=repr,
)
def test_attributes(extra: object) -> None:
    assert_round_trip(graph_of(lambda: emit(Anything(1, (), float32, extra))))


@pytest.mark.usefixtures("anything")
def test_an_attribute_without_notation() -> None:
    with pytest.raises(TextError, match="no notation for"):
        to_text(graph_of(lambda: emit(Anything(1, (), float32, [1]))))


@pytest.mark.parametrize(
    "scope", ["fc", "layers.0.attn", "a b", "of", "train.py:4", "'quoted'", "näme", "forward", "x\ny", "%3", "of.x"]
)
@pytest.mark.parametrize(
    "source", [None, Source("train.py", 3), Source("my file.py", 4), Source("C:\\x\\a.py", 5), Source("<stdin>", 1)]
)
@pytest.mark.parametrize("origin", [None, 0])
def test_notes(scope: str, source: Source | None, origin: int | None) -> None:
    made = graph_of(lambda a: -a, "f32[2]")
    noted = replace(made.nodes[1], phase=Phase.LOSS, scope=scope, source=source, origin=origin)
    assert_round_trip(Graph((made.nodes[0], noted), made.inputs, (noted,)))


def test_an_empty_graph() -> None:
    assert_round_trip(Graph((), (), ()))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%1 f32[2] = Neg(%0)  forward\n%3 f32[2] = Neg(%0)  forward", "line 3: %3 stands where %2 must follow"),
        ("%1 f32[2] = Neg(%1)  forward", "line 2: %1 is not defined above"),
        ("%1 f32[2] = Nag(%0)  forward", "line 2: Nag is no primitive"),
        ("%1 f32[2] = Sum(%0)  forward", "line 2: .*axes"),
        ("%1 f32[2] = Sum(%0, axes=(0,)  forward", "line 2: expected '\\)'|','"),
        ("%1 f32[2] = Sum(%0, axes=what)  forward", "line 2: 'what' is no value"),
        ("%1 f32[2] = Neg(%0)", "line 2: expected a phase"),
        ("%1 f32[2] = Neg(%0)  sideways", "line 2: 'sideways' is no phase"),
        ("%1 f99[2] = Neg(%0)  forward", "line 2: not a tensor type"),
        ("%1 = Neg(%0)  forward", "line 2: expected a type"),
        ("outputs %0 %0", "line 2: expected ','"),
        ("updates %0 %0", "line 2: expected '<-'"),
        ("results %0", "line 2: expected a node, inputs, outputs or updates, not 'results'"),
        ("%1 f32[2] = Neg(@)  forward", "line 2: expected a token at '@"),
    ],
)
def test_errors_name_the_line(line: str, message: str) -> None:
    with pytest.raises(TextError, match=message):
        parse(f"%0 f32[2] = Input(type=f32[2])  forward\n{line}\n")


def test_nothing_is_evaluated() -> None:
    with pytest.raises(TextError):
        parse("%0 f32[2] = Full(value=__import__('os'), shape=(2,), dtype=f32)  forward")


def test_blank_lines_are_skipped() -> None:
    assert len(parse("\n%0 f32[] = Full(value=1, shape=(), dtype=f32)  forward\n\noutputs %0\n")) == 1


def test_types_are_attributes_too() -> None:
    node = parse("%0 bf16[2,3] = Input(type=bf16[2,3])  forward").nodes[0]
    assert isinstance(node, Node)
    assert isinstance(node.dtype, dtype)
    assert node.type == TensorType(bfloat16, (2, 3))
