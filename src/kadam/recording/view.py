"""Views in a recording: what a chain of primitives shows of a value, and a value of which that part is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kadam.ir.builder import emit as emit_node
from kadam.ir.primitive import View
from kadam.primitives.index import Index, IndexPut
from kadam.recording.calls import emit, symbol
from kadam.recording.operation import operation
from kadam.recording.order import row_major
from kadam.recording.step import state
from kadam.recording.tensor import Recorded, alias, check_kept_whole, from_array, is_outdated, sees, sees_now

if TYPE_CHECKING:
    from kadam.tensor import Tensor


@operation(grad="CopySlices", order=row_major)
def restore(base: Tensor, value: Tensor, chain: tuple[View, ...]) -> Tensor:
    """`base` with the part that `chain` shows replaced by `value`."""
    nodes = [base._node]
    for primitive in chain[:-1]:
        nodes.append(emit_node(primitive, nodes[-1]))  # type: ignore[arg-type]
    new = value._node
    for primitive, node in zip(reversed(chain), reversed(nodes), strict=True):
        new = primitive.restore(node, new)  # type: ignore[arg-type]
    return symbol(new)  # type: ignore[arg-type]


@operation(grad="AsStridedBackward0")
def see(input: Tensor, chain: tuple[View, ...]) -> Tensor:
    """The view of a value that a chain of primitives shows."""
    for primitive in chain:
        input = emit(primitive, input)
    return input


class Picked(tuple[View, ...]):
    """A chain that shows one place along each of some axes, which programs take as data: no path depends on it.

    So `log_probs[action]` is the same call for every action. Longer chains made from it are structure, as others are.
    """

    axes: tuple[int, ...]
    places: tuple[int, ...]

    def operands(self) -> list[Tensor]:
        """The places as tensors that nobody else has: what becomes of the index later makes no difference."""
        return [from_array(np.asarray(place, np.int64)) for place in self.places]


@operation(grad="SelectBackward0")
def _picked(base: Tensor, places: Sequence[Tensor], axes: tuple[int, ...]) -> Tensor:
    return emit(Index(axes, wrap=False), base, *places)


@operation(grad="CopySlices")
def _put_back(base: Tensor, value: Tensor, places: Sequence[Tensor], axes: tuple[int, ...]) -> Tensor:
    return emit(IndexPut(axes, wrap=False), base, value, *places)


def pick(seen: Tensor, chain: Picked) -> Tensor:
    """The view of a tensor that such a chain shows."""
    if state.rec is not None and sees_now(state.rec, seen):
        return alias(seen, chain)  # type: ignore[return-value]
    tensor = _picked(seen, chain.operands(), chain.axes)
    rec: Any = tensor._rec
    rec.here.viewing = True
    tensor._spec = tensor._spec.made_in(seen._spec.inference)
    sees(tensor, seen, chain)
    return tensor


def seen_anew(view: Recorded) -> Tensor:
    """What a view shows of its base's present value."""
    base: Any = view._base
    chain: Any = view._chain
    return _picked(base, chain.operands(), chain.axes) if chain.__class__ is Picked else see(base, chain)


def restored(view: Recorded, value: Any) -> Tensor:
    """The base of a view with the part that it shows replaced by a value."""
    base: Any = view._base
    chain: Any = view._chain
    if chain.__class__ is Picked:
        return _put_back(base, value, chain.operands(), chain.axes)
    return restore(base, value, chain)


def up_to_date(tensor: Recorded) -> Recorded:
    """A tensor; a view has the derivative of its base's present value."""
    if is_outdated(tensor):
        look_again(tensor)
    return tensor


def look_again(tensor: Any) -> None:
    """Let a view stand for the part that it shows of its base's present value, with that value's derivative.

    Raises:
        InPlaceError: it was made in another mode, or together with others.
    """
    if is_outdated(tensor) and tensor._as_of != tensor._base._changes:
        check_kept_whole(tensor, "its base or another view of its base has been")
    fresh: Any = seen_anew(tensor)
    spec = fresh._spec.made_in(tensor._spec.inference)
    tensor._rec, tensor._pos, tensor._spec, tensor._as_of = fresh._rec, fresh._pos, spec, tensor._base._changes
    fresh._rec.join(tensor)
