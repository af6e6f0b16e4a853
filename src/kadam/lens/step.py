"""One training step as the lens sees it: a graph, what its run measured, and what the program did meanwhile.

The views (explain, draw, diagnose) read these and nothing else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kadam.ir.graph import Graph, Node, Source
from kadam.ir.primitive import Array
from kadam.ir.trace import Trace

BOUNDARY = "boundary"  # the operation where the derivative of a function of the program's own begins
Setting = bool | int | float | str | None | tuple[float, ...]


@dataclass(frozen=True)
class Event:
    """Something that the program did, in its own order. Equal events of different steps are one object.

    Attributes:
        kind: `forward`, `backward`, `grad`, `zero_grad`, `optimizer_step`, `scheduler_step`, `train`, `eval`,
            `grad_mode`, `detach`, `data`, `read` (item, tolist, numpy ...), `other_shape`, `in_place`, `loader`,
            `clip`.
        source: the program's line.
        name: of what it was done to: a module's path, an optimizer's class, a tensor's variable, a method ...
        facts: what else there is to say, by name.
    """

    kind: str
    source: Source | None = None
    name: str = ""
    facts: tuple[tuple[str, Setting], ...] = ()

    def fact(self, name: str) -> Setting:
        """What it says about `name`; None if nothing."""
        return dict(self.facts).get(name)


@dataclass(frozen=True)
class Parameter:
    """A tensor that gradients flow to and that no operation has made.

    Attributes:
        name: its path in the model, such as `encoder.fc1.weight`, or the program's variable.
        value: its value before the step.
        grad: its `.grad` after the last backward pass of the step; None if none reached it.
        used: the gradient that the optimizer was given (after clipping, say); None if it was given none.
        next: its value after the step; None if it was not updated.
        optimizer: index of the optimizer that has it; None if none has.
        group: index of its group there.
        memory: what the optimizer remembers of it, by name -> before, after.
        token: its number, the same in all steps.
        moved: where the last backward pass met it, if the optimizer had moved it within the step to try (L-BFGS).
    """

    name: str
    value: Node
    grad: Node | None = None
    used: Node | None = None
    next: Node | None = None
    optimizer: int | None = None
    group: int = 0
    memory: Mapping[str, tuple[Node, Node | None]] = field(default_factory=dict)
    token: int = 0
    moved: Node | None = None

    @property
    def met(self) -> Node:
        """Its value as the last backward pass met it."""
        return self.moved or self.value


@dataclass(frozen=True)
class Delivery:
    """A gradient that a function with a derivative of its own (`autograd.Function`) has found.

    Attributes:
        function: its name.
        given: the argument.
        gradient: of it.
    """

    function: str
    given: Node
    gradient: Node


@dataclass(frozen=True)
class Hooked:
    """A gradient that a tensor's hook has changed.

    Attributes:
        given: the tensor.
        before: its gradient as the backward pass brought it.
        after: what the hook made of it.
    """

    given: Node
    before: Node
    after: Node


@dataclass(frozen=True)
class OptimizerFacts:
    """An optimizer of the program.

    Attributes:
        name: its class, such as `Adam`.
        groups: of each group the settings.
        parameters: names of the parameters of each group; an unnamed one is `""`.
        steps: how many steps it has taken, this one included.
        stepped: whether it took one in this step.
        tokens: of the parameters of each group.
        source: the line that made it.
    """

    name: str
    groups: tuple[Mapping[str, Setting], ...]
    parameters: tuple[tuple[str, ...], ...]
    steps: int = 0
    stepped: bool = False
    tokens: tuple[tuple[int, ...], ...] = ()
    source: Source | None = None


@dataclass(frozen=True)
class ModuleCall:
    """One forward pass of one module.

    Attributes:
        path: of the module in the outermost one, whose own is empty; as a node's scope.
        kind: its class, such as `Linear`.
        settings: what `repr` shows of it: `in_features=2, out_features=3, bias=True`.
        training, grad: its mode, and whether gradients were recorded.
        inputs, outputs: the tensors among its arguments and results.
        depth: how many modules were being called around it.
        source: the program's line.
        root: which outermost module it belongs to, counted from 0.
        made: the line that made the module.
    """

    path: str
    kind: str
    settings: str
    training: bool
    grad: bool
    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    depth: int
    source: Source | None
    root: int = 0
    made: Source | None = None


@dataclass(frozen=True)
class Fault:
    """Where a program failed.

    Attributes:
        error: its class.
        message: what it says.
        source: the program's line.
        scope: the module that was being called.
    """

    error: str
    message: str
    source: Source | None
    scope: str = ""

    @property
    def told(self) -> str:
        """The message without the operands' numbers in the recording, which the drawing shows."""
        return "\n".join(line for line in self.message.strip().split("\n") if not re.search(r"\s%\d+\s", line))


@dataclass(frozen=True, eq=False)
class Step:
    """One step: what was recorded between two updates of the parameters, the second one included.

    Attributes:
        index: counted from 0; `epoch`, `batch`: passes over a DataLoader so far and batches in this one, from 0; None
            without one.
        graph: forward, loss, backward and update, joined from all recordings of the step. Its inputs are parameters,
            state, data and numbers; its updates say which input gets which value.
        trace: the value of each node. What the program computed for itself is its own; the rest is the reference's.
        active: ids of the nodes through which gradients flow.
        parameters: all that the step met and those that its optimizers have.
        names: id of an input -> its name in the program, if it has one.
        loss: from which the last backward pass began; without one, the scalar that the forward pass ended in; None if
            there is none.
        calls: the modules' forward passes, in order of their beginning.
        events: what the program did, in order.
        optimizers: all that took a step so far.
        models: the program's names of the outermost modules; a call's `root` is an index.
        called: id of a node -> name of the operation that the program called and that made it: `relu`, `softmax`.
        fault: where the program failed in this step; None if it did not.
        frozen: the models' parameters that the step met and that need no gradient.
        roots: where the backward passes of the step began, in order; of a closure's, those since it last began again.
        results: ids of the nodes that the program's own calls returned.
        numbers: id of an input that is a number -> its name in the operation that was given it, such as `lr`.
        members: ids of the inputs that are parameters or buffers of the program's models.
        deliveries: the gradients that functions with a derivative of their own have found, in order.
        seeds: id of a root -> the gradient that the program gave its backward pass to begin with; 1 without one.
        hooked: the gradients that hooks have changed, in order.
    """

    index: int
    epoch: int | None
    batch: int | None
    graph: Graph
    trace: Trace
    active: frozenset[int]
    parameters: tuple[Parameter, ...]
    names: Mapping[int, str]
    loss: Node | None
    calls: tuple[ModuleCall, ...]
    events: tuple[Event, ...]
    optimizers: tuple[OptimizerFacts, ...]
    models: tuple[str, ...] = ()
    called: Mapping[int, str] = field(default_factory=dict)
    fault: Fault | None = None
    frozen: tuple[Parameter, ...] = ()
    roots: tuple[Node, ...] = ()
    results: frozenset[int] = frozenset()
    numbers: Mapping[int, str] = field(default_factory=dict)
    members: frozenset[int] = frozenset()
    deliveries: tuple[Delivery, ...] = ()
    seeds: Mapping[int, Array] = field(default_factory=dict)
    hooked: tuple[Hooked, ...] = ()

    def value(self, node: Node) -> Array:
        """The value that a node had."""
        return self.trace.values[node.id]

    def parameter(self, name: str) -> Parameter:
        """The parameter of this name.

        Raises:
            KeyError: there is none.
        """
        for one in self.parameters:
            if one.name == name:
                return one
        raise KeyError(name)


@dataclass(frozen=True)
class Summary:
    """A tensor in a few numbers.

    Attributes:
        norm: root of the sum of squares.
        mean: of the elements.
        largest: of the absolute values.
        zeros: the share of elements that are 0.
        finite: whether all elements are (and none so large that its square is not).
        size: how many elements were looked at: all, but of large activations only those of the first samples.

    Each measure is a pass over memory, so a record has `mean` and `largest` only of activations and gradients, and
    `zeros` only of activations that some function may clip; `nan` stands for the others.
    """

    norm: float
    mean: float
    largest: float
    zeros: float
    finite: bool
    size: int


@dataclass(frozen=True)
class Layout:
    """Which numbers stand where in the vector that a recording's summaries come in.

    Attributes:
        entries: of each summarised tensor its kind (`activation`, `gradient`, `update`, `weight`), its name, how many
            elements it has, and where its numbers begin: norm squared, sum, largest and how many are 0.
        loss: where the loss stands; None if it does not.
    """

    entries: tuple[tuple[str, str, int, int], ...]
    loss: int | None = None

    def read(self, kind: str, numbers: Array) -> dict[str, Summary]:
        """The summaries of a kind, by name."""
        return {
            name: _summary(numbers[at : at + 4].tolist(), size) for one, name, size, at in self.entries if one == kind
        }


def _summary(numbers: Sequence[float], size: int) -> Summary:
    squares, total, largest, zeros = numbers
    return Summary(math.sqrt(squares), total / size, largest, zeros / size, math.isfinite(squares), size)


@dataclass(frozen=True, eq=False)
class StepRecord:
    """What is noted of every step, cheaply.

    Attributes:
        index, epoch, batch: as in `Step`.
        loss: its value; None if no backward pass began, or from no scalar.
        rates: learning rate of each group of the optimizers that took a step.
        events: what the program did, in order.
        parts: of each recording what its numbers mean, and the numbers.
    """

    index: int
    epoch: int | None
    batch: int | None
    loss: float | None
    rates: tuple[float, ...]
    events: tuple[Event, ...]
    parts: tuple[tuple[Layout, Array], ...] = ()

    def _of(self, kind: str) -> dict[str, Summary]:
        return {name: summary for layout, numbers in self.parts for name, summary in layout.read(kind, numbers).items()}

    @property
    def activations(self) -> Mapping[str, Summary]:
        """Path of a module -> summary of what it gave out last; what no inner module gave out stands under `""`.

        Where an activation function alone reads that, it is what the function made of it.
        """
        return self._of("activation")

    @property
    def gradients(self) -> Mapping[str, Summary]:
        """Name of a parameter -> summary of its `.grad` after the backward pass."""
        return self._of("gradient")

    @property
    def updates(self) -> Mapping[str, Summary]:
        """Name of a parameter -> summary of its change."""
        return self._of("update")

    @property
    def weights(self) -> Mapping[str, Summary]:
        """Name of a parameter -> summary of its value before the update."""
        return self._of("weight")

    @property
    def finite(self) -> bool:
        """Whether loss, activations, gradients and updates are all finite numbers."""
        if self.loss is not None and not math.isfinite(self.loss):
            return False
        return all(math.isfinite(numbers[at]) for layout, numbers in self.parts for *_, at in layout.entries)
