"""What an explanation calls the values of a step: a module's path, a variable of the program, a short formula."""

from __future__ import annotations

import ast
import linecache
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import cast

from kadam.ir.graph import Node, Phase, Source
from kadam.ir.lowering import Emitter
from kadam.ir.place import Place, place
from kadam.ir.primitive import View
from kadam.lens.operations import PUBLIC
from kadam.lens.step import BOUNDARY, ModuleCall, Step
from kadam.primitives.elementwise import Add, Cast, Div, Mul, Sub
from kadam.primitives.move import Copy, Detach, Insert, Slice

LONGEST = 36  # a formula that serves as a name
BY_EFFECT = {"masked": "masked", "put_back": "written", "restore": "written", "seen": "seen"}  # not as programs call it

OPERATORS: dict[type[ast.operator], set[str]] = {
    ast.Add: {"add"},
    ast.Sub: {"sub", "subtract"},
    ast.Mult: {"mul", "multiply"},
    ast.Div: {"div", "divide", "true_divide"},
    ast.Pow: {"pow", "square"},
    ast.MatMult: {"matmul", "mm", "mv", "bmm", "dot", "einsum", "inner", "tensordot", "outer"},
}
NEGATIVE = {"neg", "negative"}
COMPARISONS = {"gt", "ge", "lt", "le", "eq", "ne"}
OPERATIONS = frozenset(NEGATIVE.union(COMPARISONS, *OPERATORS.values()))  # written with a sign, not as a function
PARTS = {"narrow", "select", "diagonal"}  # methods that show a part of a tensor


def is_carrier(node: Node) -> bool:
    """Whether a value is its first operand's, seen or stored in another way."""
    return isinstance(node.primitive, View | Cast | Copy | Detach)


def seen_through(step: Step) -> dict[int, int]:
    """Results that are only there to be seen in another way by what a module gives out -> that."""
    readers: dict[int, list[int]] = {}
    for node in step.graph.nodes:
        if node.phase in (Phase.FORWARD, Phase.LOSS):
            for source in node.inputs:
                readers.setdefault(source.id, []).append(node.id)
    found: dict[int, int] = {}
    for call in step.calls:
        for node in call.outputs:
            base = node
            while is_carrier(base) and readers.get(base.inputs[0].id) == [base.id]:
                base = base.inputs[0]
                found[base.id] = node.id
    return found


def behind(node: Node, at: tuple[int, ...]) -> tuple[int, ...]:
    """Which element of its operand stands at an index of a carrier."""
    if not isinstance(node.primitive, View):
        return at
    seen: list[tuple[int, ...]] = []
    operand = _Looked(node.inputs[0].shape, seen)
    node.primitive.lower(cast(Emitter, None), tuple(map(place, at)), operand)
    return seen[-1]


@dataclass(frozen=True)
class _Looked:
    """A carrier's operand, which notes where it is looked at."""

    shape: tuple[int, ...]
    seen: list[tuple[int, ...]]

    def __call__(self, at: Sequence[Place]) -> None:
        self.seen.append(tuple(one.constant for one in at))


def seen_part(node: Node, name: str) -> str:
    """The name of what a carrier shows: `out[:, 5]` of `out`, if that is a part of it."""
    return name + part_text(node.primitive, node.inputs[0].shape) if isinstance(node.primitive, Slice) else name


def part_text(part: Slice | Insert, shape: Sequence[int]) -> str:
    """Which part of a tensor a slice is, as Python writes it: `[:, 5]`; nothing if it is all of it."""
    spans = []
    for size, start, stop, step in zip(shape, part.starts, part.stops, part.steps, strict=True):
        whole = (start, stop, step) == (0, size, 1)
        spans.append(":" if whole else str(start) if stop == start + 1 else f"{start}:{stop}" + f":{step}" * (step > 1))
    while spans and spans[-1] == ":":
        spans.pop()
    return f"[{', '.join(spans)}]" if spans else ""


class Names:
    """The names of a step's values.

    Attributes:
        step: the step.
    """

    def __init__(self, step: Step) -> None:
        self.step = step
        self.given: dict[int, str] = {}  # names that go before all others
        self.spelled: Callable[[Node], str] = lambda node: ""  # a value's formula, where it is short
        self.alone: set[int] = set()  # values whose first axis is a single time step, which needs no index
        self._found: dict[int, str] = {}
        self._often: dict[str, int] = {}  # formulas that serve as names
        self.formulas: set[int] = set()  # values that are called by their formula

    def path(self, call: ModuleCall) -> str:
        """Where a module stands, as the program would write it: `encoder.fc1`, `model.0`; a whole model has none."""
        label = self.step.models[call.root] if call.root < len(self.step.models) else ""
        path = call.path or (label if "." in label else "")  # a part of a model, called by itself
        return f"{label}.{path}" if path[:1].isdigit() else path

    @cached_property
    def _modules(self) -> dict[int, str]:
        """Node -> the module that gave it out; of several, the innermost with a path."""
        found: dict[int, str] = {}
        for call in sorted(self.step.calls, key=lambda call: call.depth):
            for output, node in enumerate(call.outputs):
                path = self.path(call)
                if path and node.id not in {one.id for one in call.inputs}:
                    found[node.id] = path if output == 0 else f"{path}.{output}"
        taken: dict[str, int] = {}
        for id in sorted(found):  # a module that is called again and again
            taken[found[id]] = taken.get(found[id], 0) + 1
            if taken[found[id]] > 1:
                found[id] = f"{found[id]}#{taken[found[id]]}"
        return found

    @cached_property
    def _answers(self) -> dict[int, str]:
        """What a model gives out, where a line of the program assigns it to one variable: `y_pred = model(x)`."""
        taken = set(self.step.names.values()) | set(self._variables.values())
        found: defaultdict[str, set[int]] = defaultdict(set)
        for call in self.step.calls:
            line = None if call.depth or self.path(call) or call.source is None else _line(call.source)
            assignment = _assignment(line) if line else None
            if assignment is None or len(call.outputs) != 1 or not isinstance(assignment[1], ast.Call):
                continue
            if not isinstance(assignment[1].func, ast.Attribute) and "[" not in (line or "").partition("=")[0]:
                found[assignment[0]].add(call.outputs[0].id)
        return {ids.pop(): name for name, ids in found.items() if len(ids) == 1 and name not in taken}

    @cached_property
    def _variables(self) -> dict[int, str]:
        """Node -> the variable that the program's line assigns the last result of that line to.

        A variable that is assigned again and again: the last value has its name, if no input does; the others are
        numbered.
        """
        runs: list[tuple[Source, int]] = []  # a line that has run, and its last result
        for id in sorted(self.step.results):
            node = self.step.graph.nodes[id]
            if node.source is None or node.phase not in (Phase.FORWARD, Phase.LOSS) or node.scope:
                continue
            if not _ends_with(node.source, node, self.called(node)):
                continue  # the argument of a call that other lines belong to
            if runs and runs[-1][0] == node.source:
                runs.pop()
            runs.append((node.source, id))
        taken = set(self.step.names.values())
        found: defaultdict[str, list[int]] = defaultdict(list)
        for source, id in runs:
            name = assigned(source)
            if name:
                found[name].append(id)
        numbered = {id: f"{name}#{n}" for name, ids in found.items() for n, id in enumerate(ids, start=1)}
        return {**numbered, **{ids[-1]: name for name, ids in found.items() if name not in taken}}

    def _input(self, node: Node) -> str | None:
        name = self.step.names.get(node.id)
        if name and name[0].isdigit() and self._with_parameters:
            return f"{self._with_parameters}.{name}"
        return name

    @cached_property
    def _with_parameters(self) -> str:
        """The model that the step's calls belong to: the first that calls others, or else the first."""
        outer = [call.root for call in self.step.calls if call.depth] or [call.root for call in self.step.calls]
        return self.step.models[outer[0]] if outer else ""

    def known(self, node: Node) -> str | None:
        """The name that the program has for a value; None if it has none."""
        if node.id in self.given:
            return self.given[node.id]
        if self.step.loss is not None and node.id == self.step.loss.id and not node.shape:
            return self._variables.get(node.id, "loss")
        name = self._input(node) or self._answers.get(node.id) or self._modules.get(node.id)
        name = name or self._variables.get(node.id)
        return name or (self.step.numbers.get(node.id) if node.id in self._settings else None)

    @cached_property
    def running_totals(self) -> frozenset[int]:
        """What a sum of many numbers has come to on its way: penalties that are added up one by one, say."""
        readers: dict[int, list[Node]] = {}
        sums: dict[int, Node] = {}
        for node in self.step.graph.nodes:
            if node.phase not in (Phase.FORWARD, Phase.LOSS):
                continue
            if isinstance(node.primitive, Add) and not node.shape:
                sums[node.id] = node
            for source in node.inputs:
                readers.setdefault(source.id, []).append(node)
        ends = {node.id for node in self.step.roots}
        alone = (id for id in sums.keys() - ends if len(readers.get(id, ())) == 1)
        within = (id for id in alone if isinstance(readers[id][0].primitive, Add | Sub | Mul | Div))
        return frozenset(id for id in within if "#" in (self.known(sums[id]) or "#") and not readers[id][0].shape)

    @cached_property
    def _settings(self) -> set[int]:
        """The numbers that optimizers are given: these have names; others say more by what they are."""
        return {source.id for node in self.step.graph.nodes if node.phase is Phase.UPDATE for source in node.inputs}

    def of(self, node: Node) -> str:
        """A value's name."""
        if node.id in self.given:
            return self.given[node.id]
        if node.id not in self._found:
            self._found[node.id] = self._named(node)
        return self._found[node.id]

    def element(self, node: Node, at: tuple[int, ...]) -> str:
        """An element's name; of a view that has none, that of the element which is seen there."""
        while is_carrier(node) and node.inputs and self.known(node) is None:
            node, at = node.inputs[0], behind(node, at)
        return index_text(self.of(node), at[1:] if node.id in self.alone else at)

    def called(self, node: Node) -> str:
        """The operation of the program that made a value; of a function with a derivative of its own, its name."""
        name = self.step.called.get(node.id, "").strip("_").removesuffix("_fixed").removesuffix("_all")
        name = BY_EFFECT.get(name) or PUBLIC.get(name, name)
        return self._functions.get(node.id, "function") if name == BOUNDARY else name

    @cached_property
    def _functions(self) -> dict[int, str]:
        """Results of functions with a derivative of their own -> the name of the function."""
        given = {one.given.id: one.function for one in self.step.deliveries}
        found: dict[int, str] = {}
        for node in self.step.graph.nodes:
            sources = [found.get(one.id) or given.get(one.id) for one in node.inputs]
            name = next((one for one in sources if one), None)
            if name and (node.id not in self.step.active or self.step.called.get(node.id) == BOUNDARY):
                found[node.id] = name
        return {id: name for id, name in found.items() if id in self.step.active}

    def _operand(self, node: Node) -> Node | None:
        """The first value that the call which made a node was given: another call's result, or one with a name."""
        waiting, seen = list(reversed(node.inputs)), set[int]()
        while waiting:
            one = waiting.pop()
            if (one.id in self.step.results and one.id not in self.running_totals) or self.known(one):
                return one
            if one.id not in seen:
                seen.add(one.id)
                waiting += reversed(one.inputs)
        return None

    @cached_property
    def _unnamed(self) -> list[int]:
        return [node.id for node in self.step.graph.inputs if node.shape and not self.known(node)]

    def _named(self, node: Node) -> str:
        known = self.known(node)
        if known:
            return known
        if node.id in self._unnamed:
            return f"input{self._unnamed.index(node.id) + 1}" if len(self._unnamed) > 1 else "input"
        if is_carrier(node):
            return seen_part(node, self.of(node.inputs[0]))
        called = self.called(node)
        operand = self._operand(node)
        text = self.spelled(node) if called in OPERATIONS else ""
        if text and text not in self._often and "…" not in text:
            self.formulas.add(node.id)
        if not text and called and operand is not None:
            name = self.of(operand)
            name = name[1:-1] if operand.id in self.formulas else name
            sums = any(one.id in self.running_totals for one in node.inputs)
            text = f"{called}({name}, …)" if sums else f"{called}({name})"
        if text and len(text) <= LONGEST:
            self._often[text] = self._often.get(text, 0) + 1
            return text if self._often[text] == 1 else f"{text}#{self._often[text]}"
        called = called or type(node.primitive).__name__.lower()
        return f"{called}#{self._alike[called].index(node.id) + 1}" if node.id in self._alike[called] else called

    @cached_property
    def _alike(self) -> dict[str, list[int]]:
        """What operations have made, by the operations' names, in order."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for node in self.step.graph.nodes:
            if node.inputs:
                found[self.called(node) or type(node.primitive).__name__.lower()].append(node.id)
        return found


def assigned(source: Source) -> str | None:
    """The one variable that a line of the program assigns to, or a part of it."""
    found = _assignment(_line(source))
    return None if found is None else found[0]


def _line(source: Source) -> str:
    return linecache.getline(source.file, source.line).strip()


@cache
def _assignment(line: str) -> tuple[str, ast.expr] | None:
    """The one variable that a line assigns to, or writes a part of, and what."""
    try:
        tree = ast.parse(line).body
    except SyntaxError:
        return None
    if len(tree) == 1 and isinstance(tree[0], ast.Assign | ast.AugAssign):
        target = tree[0].targets[0] if isinstance(tree[0], ast.Assign) else tree[0].target
        whole = target.value if isinstance(target, ast.Subscript) else target
        if isinstance(whole, ast.Name):
            return whole.id, tree[0].value
    return None


def _ends_with(source: Source, node: Node, called: str) -> bool:
    """Whether a result may be what a line assigns: `y = f(x[0:2] * 2)` assigns neither the part nor the product."""
    found = _assignment(_line(source))
    if found is None or called == "written":
        return True
    value = found[1]
    if isinstance(value, ast.Call):
        name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        alike = (NEGATIVE, COMPARISONS, {"seen", *PARTS}, *OPERATORS.values())
        return called not in OPERATIONS | {"seen"} or any({name, called} <= names for names in alike)
    if isinstance(value, ast.BinOp):
        return called in OPERATORS.get(type(value.op), {called})
    return called != "seen" or not isinstance(value, ast.UnaryOp | ast.Compare)


def index_text(name: str, at: tuple[int, ...]) -> str:
    """`fc1.weight[2,0]`; a number has no index."""
    return f"{name}[{','.join(map(str, at))}]" if at else name
