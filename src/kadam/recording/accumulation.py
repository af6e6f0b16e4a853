"""What arrives at a leaf: its hooks see the gradient, which is then added to its `.grad`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kadam.errors import GradientError, OperandError, ShapeError
from kadam.ir.graph import Phase
from kadam.recording.calls import node_of, symbol
from kadam.recording.memory import fit, give
from kadam.recording.modes import grad_mode
from kadam.recording.operation import State, operation
from kadam.recording.sweep import combine, owned
from kadam.recording.tensor import Recorded

if TYPE_CHECKING:
    from kadam.tensor import Tensor


after_pass: list[Callable[[], None]] = []  # what hooks have put off until the pass that called them is over


def finish() -> None:
    """A backward pass is over: run what its hooks have put off."""
    while after_pass:
        after_pass.pop(0)()


def through_hooks(leaf: Recorded, ct: Recorded, create_graph: bool) -> Recorded:
    """What a leaf's hooks make of the cotangent that has arrived."""
    with grad_mode(create_graph):
        for hook in list((leaf._hooks or {}).values()):
            ct = hooked(hook, ct)
    return ct


def joined(a: Any, b: Any) -> Any:
    """The sum of two cotangents, either of which may be sparse."""
    if isinstance(a, Recorded):
        return combine(a, b) if isinstance(b, Recorded) else b + a  # type: ignore[arg-type]
    return a + b


def hooked(hook: Callable[[Any], Any], ct: Recorded) -> Recorded:
    """The cotangent after a tensor's hook.

    Raises:
        OperandError: the hook returned something else than a tensor or None.
        ShapeError: it returned a tensor of another shape.
    """
    result = hook(ct)
    if result is None:
        return ct
    if not isinstance(result, Recorded):
        raise OperandError(
            f"expected Variable, but hook returned '{type(result).__name__}'. Fix: return a tensor, or None."
        )
    if result._spec.shape != ct._spec.shape:
        raise ShapeError(
            f"hook has changed the size of value: the gradient is {ct._spec.type}, the hook returned "
            f"{result._spec.type}. Fix: return a tensor of the gradient's shape, or None."
        )
    return result


@operation(differentiable=False, phase=Phase.BACKWARD)
def add_each(grads: Sequence[State], cts: Sequence[Tensor]) -> list[Tensor]:
    """Each gradient and what is to be added to it."""
    return [symbol(node_of(grad) + node_of(ct)) for grad, ct in zip(grads, cts, strict=True)]


def accumulate_all(leaves: Sequence[Recorded], cts: Sequence[Recorded]) -> None:
    """`accumulate` for the leaves of one sweep."""
    grads: list[Any] = []
    added: list[Any] = []
    for leaf, ct in zip(leaves, cts, strict=True):
        if leaf._hooks is not None or leaf._after_hooks is not None:
            accumulate(leaf, ct, False)
        elif leaf._grad is None:
            leaf._grad = ct
        elif not isinstance(leaf._grad, Recorded):
            accumulate(leaf, ct, False)
        else:
            grads.append(leaf._grad)
            added.append(ct)
    if not grads:
        return
    if len(set(map(id, grads))) == len(grads):
        add_each(grads, added)
    else:
        for grad, ct in zip(grads, added, strict=True):
            add_each([grad], [ct])


def accumulate(leaf: Recorded, ct: Recorded, create_graph: bool) -> None:
    """Add a cotangent to a leaf's `.grad`, in place as PyTorch does."""
    if not (isinstance(ct, Recorded) and (leaf._grad is None or isinstance(leaf._grad, Recorded))):
        _accumulate_sparse(leaf, ct, create_graph)
        return
    if leaf._hooks is not None:
        ct = through_hooks(leaf, ct, create_graph)
        with grad_mode(create_graph):
            ct = fit(ct, ct._spec.type)  # type: ignore[arg-type]  # the hooks may have kept it
    if leaf._grad is None:
        leaf._grad = ct if create_graph else owned(ct)  # type: ignore[arg-type]
    elif create_graph:
        leaf._grad = combine(leaf._grad, ct)  # type: ignore[arg-type]
    else:
        with grad_mode(False):
            give(leaf._grad, combine(leaf._grad, ct))  # type: ignore[arg-type]
    if leaf._after_hooks is not None:
        _call_after_hooks(leaf)


def _accumulate_sparse(leaf: Recorded, ct: Any, create_graph: bool) -> None:
    """`accumulate` where the cotangent or the gradient so far is sparse: it stays so as long as both are."""
    grad: Any = leaf._grad
    with grad_mode(create_graph):
        for hook in list((leaf._hooks or {}).values()):
            replaced = hook(ct)
            ct = ct if replaced is None else replaced
        if grad is None or create_graph or isinstance(ct, Recorded):
            leaf._grad = ct if grad is None else joined(grad, ct)
        elif isinstance(grad, Recorded):
            give(grad, ct + grad)  # type: ignore[arg-type]
        else:
            grad.add_(ct)
    _call_after_hooks(leaf)


def _call_after_hooks(leaf: Recorded) -> None:
    """Call what waits for the accumulation into the leaf's `.grad`."""
    for hook in list((leaf._after_hooks or {}).values()):
        if hook(leaf) is not None:
            raise GradientError(
                "Tensor post accumulate grad hooks should return None. Fix: change leaf.grad in place in a function "
                "without return; a lambda returns what it computes."
            )
