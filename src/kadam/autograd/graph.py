"""Around the backward graph. As `torch.autograd.graph`, as far as Kadam has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from kadam import missing
from kadam.errors import GradientError
from kadam.ops.require import ArgumentError
from kadam.recording.hooks import Group
from kadam.recording.lineage import GradFn as Node
from kadam.recording.lineage import GradientEdge, edge_of
from kadam.recording.packing import Packing
from kadam.recording.step import state
from kadam.recording.tensor import Recorded
from kadam.recording.view import up_to_date


class saved_tensors_hooks:  # noqa: N801  (PyTorch's name)
    """A block in which what derivatives will read is given to `pack_hook`, and what that returns to `unpack_hook` when
    they read it. As `torch.autograd.graph.saved_tensors_hooks`.

    The hook is called once for each value, at the end of the block or before a backward pass in it: Kadam saves what
    its derivatives read of a whole step, not what each operation's does.
    """

    def __init__(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook
        self._packing = Packing(pack_hook, unpack_hook)

    def __enter__(self) -> None:
        self._packing.begin()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._packing.end(kind is not None)


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """Where a tensor's gradient comes by. As `torch.autograd.graph.get_gradient_edge`.

    Raises:
        GradientError: the tensor does not require grad.
    """
    if not (isinstance(tensor, Recorded) and up_to_date(tensor)._spec.requires_grad):
        raise GradientError(
            "It is not possible to get the gradient edge for a Tensor that does not require gradients. Fix: "
            "x.requires_grad_() before it is used."
        )
    node, place = edge_of(tensor)
    assert node is not None
    return GradientEdge(node, place, tensor)


def register_multi_grad_hook(
    tensors: Sequence[Any], fn: Callable[[Any], None], *, mode: Literal["all", "any"] = "all"
) -> Group:
    """Call `fn` once in each backward pass that reaches some of the tensors. As PyTorch's.

    Args:
        tensors: that require grad.
        fn: takes the gradients of all, None for those that the pass does not reach; with `mode="any"` the first one
            that arrives. With "all" it is called at the end of the pass.
        mode: "all" or "any".

    Raises:
        ValueError: another mode.
        GradientError: a tensor does not require grad.
    """
    if mode not in ("all", "any"):
        raise ArgumentError(f"Expects mode to be one of ('all', 'any') but got {mode}. Fix: mode='all'.")
    return Group(tensors, fn, mode == "any")


@contextmanager
def save_on_cpu(pin_memory: bool = False, device_type: str = "cuda") -> Iterator[None]:
    """A block whose saved values are on the CPU, where they are in any case."""
    yield


@contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """A block in which `saved_tensors_hooks` may not begin: that raises with the message."""
    before, state.refusal = state.refusal, error_message
    try:
        yield
    finally:
        state.refusal = before


__all__ = [
    "GradientEdge", "Node", "disable_saved_tensors_hooks", "get_gradient_edge", "register_multi_grad_hook",
    "save_on_cpu", "saved_tensors_hooks",
]  # fmt: skip

missing.install(__name__)
