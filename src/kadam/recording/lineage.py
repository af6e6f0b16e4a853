"""What a tensor was computed from, as `grad_fn` and its `next_functions` show it: read from the trail when asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from kadam.errors import UnsupportedError
from kadam.recording.backward_pass import Stop
from kadam.recording.history import History
from kadam.recording.hooks import Handle, hook_place
from kadam.recording.reads import operands_of, specs_of
from kadam.recording.step import Recording
from kadam.recording.tensor import Recorded
from kadam.recording.trail import TrailNode
from kadam.recording.view import up_to_date
from kadam.recording.way import locate

if TYPE_CHECKING:
    from kadam.tensor import Tensor

Edge = tuple["GradFn | None", int]

_NAMED_OTHERWISE = {"linear": (2, 0, 1)}  # PyTorch computes it as addmm(bias, input, weight)


class GradFn:
    """What made a tensor, as far as gradients are concerned: what `Tensor.grad_fn` shows, under PyTorch's name."""

    _grad_name: str

    def name(self) -> str:
        """PyTorch's name of the operation, such as `MeanBackward0`."""
        return self._grad_name

    @property
    def next_functions(self) -> tuple[Edge, ...]:
        """What made the operands, each with the place among its results; (None, 0) where no gradient flows."""
        return ()

    def register_prehook(self, fn: Callable[[tuple[Any, ...]], Any]) -> Handle:
        """Call `fn` with the gradients of the results, as a tuple, in each backward pass that comes by; what it returns
        (if not None) goes on instead.

        Raises:
            UnsupportedError: it is a leaf, or a call of several results.
        """
        raise UnsupportedError(
            f"{self.name()}.register_prehook: only a call with one result has it. Fix: tensor.register_hook(fn), which "
            "is called with the tensor's gradient."
        )

    def register_hook(self, fn: Callable[..., Any]) -> NoReturn:
        """Refused: a sweep adds up what all calls that read a tensor say of it, and knows no call's own part.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(
            f"{self.name()}.register_hook: Kadam does not know what gradients one call alone gives its inputs. Fix: "
            "tensor.register_hook(fn) on the tensors that you mean, or module.register_full_backward_hook(fn)."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object at {id(self):#x}>"


class _Leaf(GradFn):
    """The end of a lineage: where a gradient is added to `.grad`."""

    def __init__(self, variable: Tensor) -> None:
        self.variable = variable

    def name(self) -> str:
        return f"torch::autograd::{self._grad_name}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Leaf) and other.variable is self.variable

    def __hash__(self) -> int:
        return id(self.variable)


class _Function(GradFn):
    """A call of a custom function; it has what the function left for its derivative, as PyTorch's `ctx` is one."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Function) and other._stop is self._stop

    def __hash__(self) -> int:
        return id(self._stop)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stop.context, name)

    @property
    def next_functions(self) -> tuple[Edge, ...]:
        return tuple(edge_of(one) for one in self._stop.sources if isinstance(one, Recorded))

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{self.name()} object at {id(self):#x}>"


class _Made(GradFn):
    """A call of a recording, of which a tensor is a result.

    Attributes:
        line: the calls of the recording up to its end.
        owner: the recording, or its history.
        call: the one that made the tensor.
    """

    def __init__(self, line: Sequence[TrailNode], owner: Recording | History, call: TrailNode) -> None:
        self._line, self._owner, self._call = line, owner, call
        self._feeds = owner.feeds

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Made) and other._call is self._call and other._feeds is self._feeds

    def __hash__(self) -> int:
        return hash((id(self._call), id(self._feeds)))

    def register_prehook(self, fn: Callable[[tuple[Any, ...]], Any]) -> Handle:
        before = 0 if self._call.parent is None else self._call.parent.created
        if self._call.created - before != 1:
            return super().register_prehook(fn)

        def hook(ct: Any) -> Any:
            given = fn((ct,))
            return given if given is None or isinstance(given, Recorded) else given[0]

        return hook_place(self._owner, before, hook)

    @property
    def next_functions(self) -> tuple[Edge, ...]:
        name, positions = operands_of(self._call)
        edges = [self._edge(position) for position in positions]
        order = _NAMED_OTHERWISE.get(name)
        return tuple(edges[one] for one in order or range(len(edges)) if one < len(edges))

    def _edge(self, position: int | None) -> Edge:
        if position is None:
            return None, 0
        if position < 0:
            return edge_of(self._feeds[~position])
        return _edge_at(self._line, self._owner, position)


class GradientEdge(NamedTuple):
    """Where a tensor's gradient comes by: what `autograd.grad` and `backward` take in the place of the tensor.

    Attributes:
        node: what made the tensor; for a leaf, what adds to its `.grad`.
        output_nr: which of the node's results it is.
        ownership_token: the tensor.
    """

    node: GradFn
    output_nr: int
    ownership_token: Any = None


def meant(tensor: Any) -> Any:
    """The tensor of which something is the edge; anything else as it is."""
    return tensor.ownership_token if isinstance(tensor, GradientEdge) else tensor


def grad_fn_of(tensor: Recorded) -> GradFn | None:
    """What made a tensor; None for a leaf, and where no gradient flows."""
    spec = up_to_date(tensor)._spec
    if not spec.requires_grad or spec.grad_name is None:
        return None
    owner, place = locate(tensor) or (None, 0)
    if isinstance(owner, Recording):
        return _edge_at(owner.here.line(), owner, place)[0]
    if owner is not None:
        if (stop := owner.stops.get(place)) is not None and stop.context is not None:
            return _named(spec.grad_name, _Function, stop)
        for call in (line := owner.end.line()):
            if any(node.id == place for node in call.outputs):
                return _named(spec.grad_name, _Made, line, owner, call)
    return _named(spec.grad_name, GradFn)


def _named(name: str, kind: type[GradFn], *parts: Any) -> GradFn:
    """An object of a class that PyTorch's name is the name of."""
    own: type[GradFn] = type(name, (kind,), {"_grad_name": name, "__module__": "torch.autograd"})
    return own(*parts)


def edge_of(feed: Any) -> Edge:
    """What made a tensor, and which of its results it is; (None, 0) where no gradient flows."""
    if not isinstance(feed, Recorded) or not feed._spec.requires_grad:
        return None, 0
    if feed._spec.grad_name is None:
        return _named("AccumulateGrad", _Leaf, feed), 0
    return grad_fn_of(feed), 0


def _function_at(owner: Recording | History, position: int, name: str) -> Edge | None:
    """The custom function that made the result at a position, if one did."""
    if not owner.stops:
        return None
    place = position if isinstance(owner, Recording) else owner.current_path().at(position).id
    stop = owner.stops.get(place)
    return None if stop is None or stop.context is None else (_named(name, _Function, stop), stop.places.index(place))


def _edge_at(line: Sequence[TrailNode], owner: Recording | History, position: int) -> Edge:
    """What made the result at a position of a recording."""
    for call in line:
        before = 0 if call.parent is None else call.parent.created
        if before <= position < call.created:
            spec = specs_of(call)[position - before]
            if not spec.requires_grad or spec.grad_name is None:
                return None, 0
            made = _named(spec.grad_name, _Made, line, owner, call), position - before
            return _function_at(owner, position, spec.grad_name) or made
    return None, 0
