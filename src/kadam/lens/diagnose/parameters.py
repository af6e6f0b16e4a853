"""Parameters that are computed with but never learn: no optimizer has them, they are frozen, or no gradient comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from kadam.ir.graph import Node, Phase, Source
from kadam.lens.diagnose.finding import Finding, Value
from kadam.lens.diagnose.links import CARRIERS, Links, ancestors, is_data
from kadam.lens.diagnose.program import Life, Program
from kadam.lens.diagnose.recurrence import BY_THE_PROGRAM
from kadam.lens.step import Event, ModuleCall, Step, StepRecord
from kadam.primitives.contract import Dot
from kadam.primitives.convolve import Convolve
from kadam.primitives.elementwise import Add
from kadam.primitives.move import Detach

OFTEN = 8  # steps in which a parameter of equal numbers must have got gradients: it may be a moving offset
FIRST, LATER = 2, 10  # updates of what was frozen again at once; steps it is frozen in, for each of them
TAKEN = ("detach", "data", "read")  # events that take a value out of the graph
NEAR = 8  # operations between a gradient and the weight that an update by hand makes of it
FEW = 256  # bytes that are compared of weights that are made anew: random ones differ at once
SEEN = 3  # steps in which a parameter must have taken part: what one step does not reach, the next may


class Owners:
    """Parameters that get gradients, which no optimizer has and nothing changes, while others learn.

    Those that were trained or loaded before may rest on purpose (a frozen body under a new head). What still has its
    first random values, gets gradients and is never changed was forgotten: in a plain list or dict, in a layer that was
    put in after the optimizer had been made, or in a model that was not handed over.
    """

    def __init__(self) -> None:
        self.loose: dict[int, Source] = {}  # token -> where the unregistered module that has it was made
        self.used_at: dict[int, Source | None] = {}
        self.stepped: dict[int, Counter[Source | None]] = {}  # token -> who stepped on its gradients
        self.data: set[int] = set()  # tokens of what models are fed with: inputs may ask for gradients too
        # Line of an unregistered module -> tokens of its weights: in which step, and how their first numbers look.
        self.anew: dict[Source, dict[int, tuple[int, bytes]]] = {}

    def see(self, record: StepRecord, links: Links | None) -> None:
        self.data.update(int(event.fact("input") or 0) for event in record.events if event.kind == "forward")  # type: ignore[arg-type]
        if links is None or not any(one.optimizer is None for one in links.step.parameters):
            return
        step = links.step
        owned = {one.value.id for one in step.parameters if one.optimizer is not None}
        unregistered = {call.path: call for call in step.calls if _is_unregistered(call)}
        for one in step.parameters:
            if one.optimizer is not None:
                continue
            if one.grad is not None and not is_data(one.grad):
                lines = (facts.source for facts in step.optimizers if facts.stepped)
                self.stepped.setdefault(one.token, Counter()).update(lines)
            readers = links.readers.get(one.value.id, [])
            if any(_weighs(links, reader, owned) for reader in readers):
                self.data.add(one.token)
            if readers:
                self.used_at[one.token] = readers[0].source
                call = next((unregistered[part] for part in _parts(readers[0]) if part in unregistered), None)
                if call is not None and call.made is not None:
                    self.loose[one.token] = call.made
                    value = links.value(one.value)
                    if one.grad is not None and value is not None and value.ndim > 1:
                        made = self.anew.setdefault(call.made, {})
                        made.setdefault(one.token, (record.index, value.tobytes()[:FEW]))

    def findings(self, program: Program) -> Iterator[Finding]:
        if not program.count("optimizer_step"):
            return
        for line, made in self.anew.items():
            lives = [program.life(token) for token in made]
            # A fixed filter that is set up at every call looks the same each time.
            steps, looks = (len(set(part)) for part in zip(*made.values(), strict=True))
            if min(steps, looks) >= SEEN and all(life.met == 1 and not life.updated for life in lives):
                told: dict[str, Value] = {"parameters": len(lives), "name": lives[0].name, "steps": steps}
                yield Finding("parameters_not_in_optimizer", line, told, variant="anew")
                return
        forgotten = [
            life
            for life in program.lives.values()
            if _is_untaught(life)
            and life.with_grad >= SEEN
            and not life.owners
            and not (life.frozen_at and life.frozen)  # what is frozen after all steps was forgotten before
            and life.token not in self.data
        ]
        if not forgotten or program.tunes_inputs(forgotten):
            return
        listed = [life for life in forgotten if life.token in self.loose]
        first = (listed or forgotten)[0]
        lines = self.stepped.get(first.token)
        optimizer = lines.most_common(1)[0][0] if lines else program.made[-1].source
        source = self.loose[first.token] if listed else optimizer
        others = (optimizer if listed else None, first.set_at, self.used_at.get(first.token))
        also = tuple(dict.fromkeys(line for line in others if line is not None and line != source))
        name = f"{first.name}, {list(first.shape)}" if first.name.startswith("parameter ") else first.name
        values: dict[str, Value] = {"parameters": len(forgotten), "name": name, "steps": first.with_grad}
        yield Finding("parameters_not_in_optimizer", source, values, also)


def _is_untaught(life: Life) -> bool:
    """Whether a parameter still has its first values; where these are all alike, several steps must have met them."""
    return life.fresh or (not life.updated and not life.loaded and life.with_grad >= OFTEN and bool(life.shape))


def _weighs(links: Links, node: Node, owned: set[int]) -> bool:
    """Whether a value is a product with a weight that learns: what the weight is multiplied with is data."""
    return isinstance(node.primitive, Dot | Convolve) and any(links.maker(one).id in owned for one in node.inputs)


def _is_unregistered(call: ModuleCall) -> bool:
    """A module that is called within another one, which does not know it: it has no path there but its class."""
    return call.depth > 0 and call.path == call.kind


def _parts(node: Node) -> list[str]:
    return [node.scope, *reversed(node.scope.split("."))]


class Frozen:
    """Layers that stay at their first random values because they need no gradient.

    To freeze what was trained or loaded is fine-tuning. To freeze random values is rarely meant; where it is (random
    features), they stand before all that learns and are not given to the optimizer. So this is a finding if an
    optimizer has them, or if gradients flow through them to others that learn; but not where smaller weights learn what
    is added to the layer's result (a low-rank addition), for then the layer learns.
    """

    def __init__(self) -> None:
        self.behind: set[int] = set()  # tokens of frozen parameters that work on what others have computed
        self.readers: dict[int, Source | None] = {}

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is None or not links.step.frozen:
            return
        step = links.step
        for one in step.frozen:
            for reader in links.readers.get(one.value.id, ()):
                self.readers.setdefault(one.token, reader.source)
                if any(source.id in step.active for source in reader.inputs) and not _is_amended(links, one.value):
                    self.behind.add(one.token)

    def findings(self, program: Program) -> Iterator[Finding]:
        learns = any(life.updated for life in program.lives.values())
        models = [life for life in program.models() if life.met and life.owners]
        if len(models) > 1 and all(life.frozen >= SEEN and not life.with_grad for life in models) and not learns:
            source = next((life.frozen_at for life in models if life.frozen_at), None)
            yield Finding("frozen_by_mistake", source, {"name": models[0].name, "parameters": len(models)})
            return
        stuck = [
            life
            for life in program.lives.values()
            if life.frozen >= SEEN
            and (life.fresh or _was_stopped(life))
            and len(life.shape) > 1
            and (life.owners or life.token in self.behind)
        ]
        if stuck and learns and not program.tunes_inputs(stuck):
            lines = [life.frozen_at for life in stuck if life.frozen_at is not None]
            source = lines[0] if lines else self.readers.get(stuck[0].token)
            yield Finding("frozen_by_mistake", source, {"name": stuck[0].name, "parameters": len(stuck)})


def _is_amended(links: Links, weight: Node) -> bool:
    """Whether to the product with a weight is added what smaller weights, that learn, make of the same input."""
    learnt = {one.value.id for one in links.step.parameters if one.next is not None}
    first, given = _product(links, weight)
    product = first
    while product is not None:
        sums = [one for one in links.readers.get(product.id, ()) if isinstance(one.primitive, Add)]
        for one in (one for total in sums for one in total.inputs if one is not product):
            within = _between(one, given)
            weights = [within[id] for id in learnt & within.keys() if len(within[id].shape) > 1]
            beside = given.id in within and first not in within.values()
            if beside and 0 < sum(one.type.elements for one in weights) < weight.type.elements:
                return True
        forms = [one for one in links.readers.get(product.id, ()) if isinstance(one.primitive, CARRIERS)]
        product = next(iter([*sums, *forms]), None)
    return False


def _product(links: Links, weight: Node) -> tuple[Node | None, Node]:
    """The first product with a weight, and what the weight is multiplied with there."""
    waiting = [weight]
    for node in waiting:
        for reader in links.readers.get(node.id, ()):
            if isinstance(reader.primitive, Dot | Convolve):
                other = next((one for one in reader.inputs if one is not node), weight)
                return reader, links.maker(other)
            if isinstance(reader.primitive, CARRIERS):
                waiting.append(reader)
    return None, weight


def _between(node: Node, given: Node) -> dict[int, Node]:
    """What a value is computed from, as far as to a given one."""
    found: dict[int, Node] = {}
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if one.id not in found:
            found[one.id] = one
            waiting += () if one is given else one.inputs
    return found


def _was_stopped(life: Life) -> bool:
    """Whether an optimizer's parameter was frozen after its first few updates, and stayed so for all the rest."""
    return bool(life.owners) and not life.loaded and life.updated <= FIRST and life.frozen > LATER * life.updated


class Cuts:
    """Parameters that an optimizer has and that are computed with, but that no gradient reaches.

    Where the gradient's way ends is looked for in the graph: a `detach` or `.data`, an operation under `no_grad`, or
    a value that was taken out as a number (`item`, `tolist`, `numpy`).
    """

    def __init__(self) -> None:
        self.cut_at: dict[int, tuple[str, Source | None]] = {}
        self.hidden: Counter[int] = Counter()  # steps of their own optimizer whose graph does not lead to them
        self.own: set[int] = set()  # those seen in a step of their own optimizer: others rest them on purpose

    def see(self, record: StepRecord, links: Links | None) -> None:
        if links is not None:
            self.look(links)

    def look(self, links: Links) -> None:
        """Find where the gradients of the parameters that get none end."""
        step = links.step
        moved = {at for at, facts in enumerate(step.optimizers) if facts.stepped}
        own = {one.token for one in step.parameters if one.optimizer in moved}
        known = {token for token in self.cut_at if token in self.own or token not in own}
        without = [one for one in step.parameters if one.grad is None and one.token not in known]
        if without and (step.fault is not None or any(event.kind == "backward" for event in step.events)):
            for one in without:
                found = cut_of(step, links, one.value) or _before_pass(step.events, ("read",))
                if found is not None:
                    self.cut_at[one.token] = found
                    self.own.update({one.token} & own)
        self._look_behind(step)

    def _look_behind(self, step: Step) -> None:
        """Parameters whose optimizer takes its step, but which this step's graph does not even lead to."""
        shown = {one.token for one in step.parameters}
        turns = {token for facts in step.optimizers if facts.stepped for group in facts.tokens for token in group}
        hidden = (turns & self.cut_at.keys()) - shown
        found = _taken_out(step.events) or _before_pass(step.events) if hidden else None
        if found is not None:
            self.hidden.update(hidden)
            self.cut_at.update(dict.fromkeys(hidden - self.own, found))
            self.own |= hidden

    def findings(self, program: Program) -> Iterator[Finding]:
        fault, partial = program.fault, program.partial
        if fault is not None and partial is not None and "does not require grad" in fault.message:
            yield from self._all_cut(program, partial, fault.source)
            return
        if fault is not None and partial is not None and "'NoneType'" in fault.message:
            yield from _renamed(partial, fault.source)
            yield from self._unreached(program, partial, fault.source)
        dry = [life for life in program.lives.values() if self._is_dry(life)]
        if not dry or _are_the_wrong_ones(program, dry):
            return
        kind, source = self.cut_at[dry[0].token]
        values: dict[str, Value] = {"name": dry[0].name, "parameters": len(dry), "steps": dry[0].met, "by": kind}
        yield Finding("graph_cut", source, values)

    def _unreached(self, program: Program, partial: Step, line: Source | None) -> Iterator[Finding]:
        """Parameters whose `.grad` is None after a backward pass that has reached others: the program fails at it."""
        self.look(Links(partial))
        met = [life for life in program.lives.values() if life.met and not life.frozen]
        dry = [life for life in met if not life.with_grad and life.token in self.cut_at]
        if dry and len(dry) < len(met):
            kind, source = self.cut_at[dry[0].token]
            values: dict[str, Value] = {"name": dry[0].name, "parameters": len(dry), "steps": dry[0].met, "by": kind}
            yield Finding("graph_cut", source, values, () if line is None else (line,))

    def _is_dry(self, life: Life) -> bool:
        waits = life.met + self.hidden[life.token] >= SEEN and not life.with_grad and not life.frozen and life.fresh
        return waits and bool(life.owners) and life.token in self.cut_at

    def _all_cut(self, program: Program, partial: Step, line: Source | None) -> Iterator[Finding]:
        self.look(Links(partial))
        met = [life for life in program.lives.values() if life.token in self.cut_at]
        if met:
            kind, source = self.cut_at[met[0].token]
            values: dict[str, Value] = {"name": met[0].name, "parameters": len(met), "steps": 1, "by": kind}
            yield Finding("graph_cut", source, values, () if line is None else (line,))
        elif any(life.frozen for life in program.lives.values()):
            frozen = next(life for life in program.lives.values() if life.frozen)
            count = sum(life.frozen > 0 for life in program.lives.values())
            yield Finding("frozen_by_mistake", frozen.frozen_at or line, {"name": frozen.name, "parameters": count})
        elif partial.active and line is not None:
            source, count = _end_of_way(partial) or line, sum(life.met > 0 for life in program.lives.values())
            values = {"parameters": count}
            yield Finding("graph_cut", source, values, () if source == line else (line,), variant="read")


def _renamed(partial: Step, line: Source | None) -> Iterator[Finding]:
    """Updates by hand whose results are new tensors, where the program fails at the `.grad` that these do not have."""
    reached = [one for one in partial.parameters if one.grad is not None and not is_data(one.grad)]
    for one in reached:
        for node in partial.graph.nodes[one.grad.id + 1 :]:  # type: ignore[union-attr]
            made = node.phase is not Phase.BACKWARD and node.id not in partial.active and node.type == one.value.type
            if made and one.value in node.inputs and one.grad.id in ancestors(node.inputs, NEAR):  # type: ignore[union-attr]
                if node in partial.graph.updates.values():
                    continue
                values: dict[str, Value] = {"name": one.name, "parameters": len(reached)}
                yield Finding("graph_cut", node.source, values, () if line is None else (line,), variant="leaf")
                return


def _end_of_way(partial: Step) -> Source | None:
    """Where the program was when numbers were first made of the last value that gradients could flow to."""
    last = max(partial.active)
    behind = (node.source for node in partial.graph.nodes[last + 1 :] if node.phase is not Phase.BACKWARD)
    return next((source for source in behind if source is not None), None)


def _are_the_wrong_ones(program: Program, dry: list[Life]) -> bool:
    """Whether an optimizer has nothing but parameters without gradients, while those with gradients are nobody's."""
    owners = set().union(*(life.owners for life in dry))
    lives = [life for life in program.lives.values() if life.with_grad >= SEEN and not life.frozen_at]
    return any(_is_untaught(one) and not one.owners for one in lives) and not any(one.owners & owners for one in lives)


def cut_of(step: Step, links: Links, value: Node) -> tuple[str, Source | None] | None:
    """How and where the way from a parameter to the loss loses its gradient."""
    waiting, seen = [value], {value.id}
    ends = step.roots or ((step.loss,) if step.loss is not None else ())
    leads = None if step.fault is not None or not ends else ancestors(ends)
    if leads is not None and value.id not in leads:
        leads = None  # nothing of it gets there in the graph: it was cut where the graph does not show it
        if (taken := _before_pass(step.events)) is not None:
            return taken
    while waiting:
        node = waiting.pop(0)
        for reader in links.readers.get(node.id, ()):
            if leads is not None and reader.id not in leads:
                continue  # what the program does beside (a moving average) cuts nothing
            if isinstance(reader.primitive, Detach):
                found = _detached_by(step, reader) if links.called(reader) in BY_THE_PROGRAM else None
                if found is not None and found[1] is not None:
                    return found
                continue
            if reader.id not in step.active and reader.dtype.category >= 2 and reader.source is not None:
                if any(one.id in step.active for one in links.same_call(reader)):
                    continue  # what an operation notes beside (statistics of a normalisation) cuts nothing
                return _switched_off(step, reader)
            if reader.id not in seen:
                seen.add(reader.id)
                waiting.append(reader)
    return _taken_out(step.events)


def _detached_by(step: Step, node: Node) -> tuple[str, Source | None]:
    """By which call a view without gradients was made: it may be read long after, at another line."""
    told = [
        event
        for event in step.events
        if event.kind in ("detach", "data") and event.fact("requires_grad") and not event.fact("leaf")
    ]
    return (told[-1].kind, told[-1].source) if told else ("detach", node.source)


def _switched_off(step: Step, node: Node) -> tuple[str, Source | None]:
    """The line that switched gradients off for a node: the `with`, else the call, before the pass that made it.

    Where nothing switched them off, no backward pass came by: the value was taken out as numbers before.
    """
    modules = (call for call in step.calls if not call.grad and node.id in ancestors(call.outputs))
    outer = min(modules, key=lambda call: call.depth, default=None)
    place = node.source if outer is None else outer.source
    begun = len(step.events)
    if outer is not None and outer.depth == 0:
        begun = next((at for at, one in enumerate(step.events) if (one.kind, one.source) == ("forward", place)), begun)
    for event in reversed(step.events[:begun]):
        off = event.kind == "grad_mode" and event.name == "enter" and not event.fact("grad")
        if off and event.source is not None and place is not None and event.source.file == place.file:
            if outer is not None and outer.depth == 0:
                return "no_grad", event.source
            if event.source.line <= place.line:
                return "no_grad", event.source
    around = _around(step)
    taken = _taken_out(step.events) if around is None and outer is None else None
    return taken or ("no_grad", around or place)


def _around(step: Step) -> Source | None:
    """The last `no_grad` that the program itself entered before the backward pass, where only one line does so."""
    passes = [at for at, event in enumerate(step.events) if event.kind == "backward"]
    before = step.events[: passes[0]] if passes else ()
    off = {
        event.source
        for event in before
        if (event.kind, event.name) == ("grad_mode", "enter") and not event.fact("grad")
    }
    return off.pop() if len(off) == 1 else None


def _taken_out(events: tuple[Event, ...]) -> tuple[str, Source | None] | None:
    """The last value that gradients flow to and that was read before the backward pass."""
    for index in range(len(events) - 1, -1, -1):
        if events[index].kind == "backward":
            begun = next((at for at in range(index, -1, -1) if events[at].kind == "forward"), 0)
            taken = (event for event in events[begun:index] if event.fact("requires_grad"))
            # What is detached stands in the graph, and would have been met there: numbers that were read do not.
            reads = sorted((one for one in taken if one.kind in ("read", "detach")), key=lambda one: one.kind == "read")
            return (reads[-1].name or reads[-1].kind, reads[-1].source) if reads else None
    return None


def _before_pass(events: tuple[Event, ...], kinds: tuple[str, ...] = TAKEN) -> tuple[str, Source | None] | None:
    """What was taken out of the graph last before the last backward pass, numbers to be printed left aside."""
    passes = [at for at, event in enumerate(events) if event.kind == "backward"]
    begun = passes[-2] if len(passes) > 1 else 0
    for event in reversed(events[begun : passes[-1]] if passes else ()):
        taken = event.kind in kinds and event.fact("requires_grad")
        if taken and not event.fact("leaf") and not event.fact("single"):
            return event.name or event.kind, event.source
    return None
