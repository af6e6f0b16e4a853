"""Operations with a derivative of the user's own: `autograd.Function`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kadam.dtypes import FLOAT
from kadam.errors import GradientError, ShapeError
from kadam.ir.builder import current_builder
from kadam.primitives.move import Copy, Detach
from kadam.recording.backward_pass import BackwardPass, Stop
from kadam.recording.calls import emit
from kadam.recording.history import CHANGED, TWICE, History
from kadam.recording.inference import refuse_saving
from kadam.recording.memory import give
from kadam.recording.modes import grad_mode
from kadam.recording.operation import Raw, operation
from kadam.recording.spec import spec_of
from kadam.recording.step import Recording, state
from kadam.recording.tensor import Recorded, blank, made, read

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@operation
def boundary(input: Tensor, name: Raw) -> Tensor:
    """A value at which the recorded derivative ends and the user's begins."""
    result = emit(Detach(), input)
    builder = current_builder()
    assert result._node is not None
    builder.active.add(result._node.id)
    from kadam.recording.calls import symbol

    marked = symbol(result._node)
    marked._tag = name
    return marked


@operation
def found_before(input: Tensor) -> Tensor:
    """What `forward` has changed in place, as the function's argument: its gradient is the one before the function."""
    return emit(Copy(), input)


class FunctionCtx:
    """What `forward` leaves for `backward`: the `ctx` of both.

    Attributes:
        needs_input_grad: for each argument of `apply`, whether its gradient will be used.
        saved_tensors: what `save_for_backward` was given.
    """

    def __init__(self, arguments: Sequence[Any]) -> None:
        self.needs_input_grad = tuple(isinstance(one, Recorded) and one._spec.requires_grad for one in arguments)
        self._saved: list[tuple[Any, int]] = []
        self._unpack: Callable[[], list[Any]] | None = None  # what was saved, in a block whose saved values are packed
        self._freed = False
        self._dirty: tuple[Any, ...] = ()
        self._plain: tuple[Any, ...] = ()
        self._materialize = True
        self._results: dict[int, int] = {}  # id of a saved result -> which of the results with a derivative it is
        self._place_of: Callable[[int], tuple[Any, int]] | None = None  # of such a result, during `backward`

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors for `backward`; that they are not changed in place meanwhile is checked there."""
        self._saved = [(one, 0) for one in tensors]
        self.note_versions()

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors for `jvp`; they are `saved_tensors` where nothing is kept for `backward`.

        Kadam differentiates along a direction by the derivative of `backward`: a `jvp` beside it is not called.
        """
        if not self._saved:
            self.save_for_backward(*tensors)

    def note_versions(self) -> None:
        """What is saved is as it stands now: `forward` itself may have changed it after saving it."""
        self._saved = [(one, one.root._changes if one is not None else 0) for one, _ in self._saved]

    def check_saved(self) -> None:
        """Raise where an inference tensor is kept for `backward`."""
        if any(one is not None and one._spec.inference for one, _ in self._saved):
            refuse_saving()

    def pack(self) -> None:
        """What is saved goes through the user's hooks, if the call stands in a block of `saved_tensors_hooks`."""
        if state.packing is not None:
            unpacks = [None if one is None else state.packing.packed(one) for one, _ in self._saved]
            self._saved, self._unpack = [], lambda: [None if unpack is None else unpack() for unpack in unpacks]

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors that `save_for_backward` was given.

        Raises:
            GradientError: they were freed by an earlier backward pass, or changed in place.
        """
        if self._freed:
            raise GradientError(TWICE)
        if self._unpack is not None:
            return tuple(self._unpack())
        for one, version in self._saved:
            if one is not None and one.root._changes != version:
                raise GradientError(CHANGED.format(what=f"a saved tensor of type {one._spec.type}"))
        return tuple(self._with_derivative(one) for one, _ in self._saved)

    def _with_derivative(self, saved: Any) -> Any:
        """A saved result as the caller of the function has it: derivatives of the backward pass go through it.

        What `forward` saved has the value alone, so that what is saved does not keep itself alive.
        """
        index = self._results.get(id(saved))
        if index is None or self._place_of is None or not state.grad:
            return saved
        owner, place = self._place_of(index)
        if isinstance(owner, History):
            return result_of(owner, place, saved)
        result = owner.created[place]
        if result._rec is not owner or result._pos != place:
            raise GradientError(CHANGED.format(what=f"a saved tensor of type {saved._spec.type}"))
        return result

    def mark_dirty(self, *tensors: Any) -> None:
        """Say that `forward` changed these inputs in place."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Say that these results have no gradient."""
        self._plain = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` gets zeros (the default) or None for results that nothing depends on."""
        self._materialize = value


class Function:
    """A differentiable operation whose derivative is written by hand.

    Subclass it with static methods `forward(ctx, *args)` and `backward(ctx, *grad_outputs)` (and, if you like,
    `setup_context(ctx, inputs, output)`), and call it by `apply`.
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the results."""
        raise NotImplementedError(
            "Function: You must implement the forward function for custom autograd.Function. Fix: define  "
            "@staticmethod def forward(ctx, *inputs)."
        )

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Compute the gradients of the inputs, in order; None where there is none."""
        raise NotImplementedError(
            "Function: You must implement either the backward or vjp method for your custom autograd.Function "
            "to use it with backward mode AD. Fix: define  @staticmethod def backward(ctx, *grads)."
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise GradientError(
            f"{type(self).__name__}: Legacy autograd function with non-static forward method is deprecated. Please use "
            f"new-style autograd function with static forward method. Fix: {type(self).__name__}.apply(x)."
        )

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Call the operation."""
        ctx = FunctionCtx(args)
        with grad_mode(False):
            if "setup_context" in _defined(cls):
                results = cls.forward(*args)
                cls.setup_context(ctx, args, results)  # type: ignore[attr-defined]
            else:
                results = cls.forward(ctx, *args)
        if not (state.grad and any(ctx.needs_input_grad)):
            return results
        single = isinstance(results, Recorded)
        if not single and not isinstance(results, list | tuple):
            return results  # nothing that has a derivative
        parts = [results] if single else list(results)
        ctx.check_saved()
        marked = _mark(cls, ctx, args, parts)
        ctx.note_versions()
        ctx.pack()
        return marked[0] if single else tuple(marked)


def _defined(cls: type) -> set[str]:
    return {name for base in cls.__mro__[:-2] for name in vars(base)}


def _mark(cls: type[Function], ctx: FunctionCtx, args: Sequence[Any], parts: list[Any]) -> list[Any]:
    """The results with the user's derivative behind them."""
    places = []
    marked: list[Any] = list(parts)
    dirty = {id(one): found_before(one) for one in ctx._dirty if any(one is part for part in parts)}
    sources = [dirty.get(id(one), one) for one in args]
    for index, part in enumerate(parts):
        if not hasattr(part, "_spec") or part._spec.dtype.category < FLOAT or any(part is one for one in ctx._plain):
            continue
        result: Any = boundary(dirty.get(id(part), part), f"{cls.__name__}Backward")
        if id(part) in dirty:
            result = give(part, result)
        marked[index] = result
        places.append((index, result))
    rec = state.rec
    assert rec is not None
    shapes = [result._spec for _, result in places]

    def function(cts: Sequence[Any], work: BackwardPass, stop: Stop) -> None:
        filled = [_filled(ct, spec, ctx) for ct, spec in zip(cts, shapes, strict=True)]
        given = [_filled(None, spec, ctx) for spec in others]
        for index, ct in zip(indices, filled, strict=True):
            given[index] = ct
        owner = next(region.owner for region in work.regions.values() if stop in region.owner.stops.values())
        ctx._place_of = lambda order: (_lasting(owner), stop.places[order])
        try:
            grads = cls.backward(ctx, *given)
        finally:
            ctx._place_of = None
        if not work.retain:
            ctx._freed = True
        _deliver(cls, sources, grads, work, stop.origins)

    indices = [index for index, _ in places]
    others = [getattr(part, "_spec", None) for part in parts]
    given_back = set(map(id, args))
    made_here = {id(parts[index]): order for order, index in enumerate(indices)}
    ctx._results = {one: order for one, order in made_here.items() if one not in given_back}
    stop = Stop([result._pos for _, result in places], function, sources, ctx)
    for _, result in places:
        rec.halt(result._pos, stop)
    return marked


def _lasting(owner: Recording | History) -> Recording | History:
    """Where a derivative is known by now: `backward` itself may have read a value, which ended the recording."""
    return owner.left() or owner if isinstance(owner, Recording) else owner


def result_of(history: History, place: int, value: Recorded) -> Recorded:
    """A tensor of a value that has the derivative known at a place of a history."""
    tensor = blank(made.cls, spec_of(value._spec.type, True, "Saved"))
    tensor._array = read(value)
    tensor._history, tensor._place = history, place
    return tensor


def _filled(ct: Any, spec: Any, ctx: FunctionCtx) -> Any:
    if ct is None and spec is not None and ctx._materialize:
        from kadam.ops.creation import zeros

        return zeros(spec.shape, dtype=spec.dtype)
    return ct


def _deliver(cls: type[Function], args: Sequence[Any], grads: Any, work: BackwardPass, origins: Sequence[Any]) -> None:
    found = list(grads) if isinstance(grads, list | tuple) else [grads]
    while len(found) > len(args) and found[-1] is None:
        found.pop()
    if len(found) != len(args):
        raise GradientError(
            f"function {cls.__name__}Backward returned an incorrect number of gradients (expected {len(args)}, got "
            f"{len(found)}). Fix: return one gradient for each argument of forward, None where there is none."
        )
    for index, (arg, ct, origin) in enumerate(zip(args, found, origins, strict=True)):
        if ct is None or not isinstance(arg, Recorded) or not arg._spec.requires_grad:
            continue
        if not isinstance(ct, Recorded):
            raise GradientError(
                f"function {cls.__name__}Backward returned a {type(ct).__name__} as gradient {index}, not a Tensor: "
                "expected Variable or None. "
                "Fix: return a tensor, or None where there is no gradient."
            )
        if ct._spec.shape != arg._spec.shape:
            ct = _fitted(cls, index, ct, arg)
        if ct._spec.dtype is not arg._spec.dtype:
            ct = ct.to(arg._spec.dtype)
        work.deliver(arg, ct, origin)


def _fitted(cls: type[Function], index: int, ct: Any, arg: Any) -> Any:
    """A gradient summed over the axes along which its input was stretched.

    Raises:
        ShapeError: the input's shape does not stretch to the gradient's.
    """
    extra = len(ct.shape) - len(arg.shape)
    fits = extra >= 0 and all(a in (1, b) for a, b in zip(arg.shape, ct.shape[extra:], strict=True))
    if not fits:
        raise ShapeError(
            f"Function {cls.__name__}Backward returned an invalid gradient at index {index} - got {list(ct.shape)} but "
            f"expected shape compatible with {list(arg.shape)}. Fix: sum the gradient over the axes that forward "
            "stretched, so that it has the shape of its argument."
        )
    axes = [*range(extra), *[extra + axis for axis, size in enumerate(arg.shape) if size != ct.shape[extra + axis]]]
    return ct.sum(axes).reshape(arg.shape)


def once_differentiable(function: Any) -> Any:
    """Mark a `backward` whose own derivative is not to be taken."""

    def wrapped(ctx: Any, *cts: Any) -> Any:
        with grad_mode(False):
            return function(ctx, *cts)

    return wrapped
