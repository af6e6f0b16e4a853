"""What views show, as memory of its own: PyTorch's functions whose names end in `_copy`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kadam.errors import RankError
from kadam.ops import convert, shape, slicing

if TYPE_CHECKING:
    from kadam.tensor import Tensor


def _copied(found: Any) -> Any:
    return tuple(one.clone() for one in found) if isinstance(found, tuple | list) else found.clone()


def _copy_of(name: str, view: Callable[..., Any]) -> Callable[..., Any]:
    """The function that copies what a view shows."""

    def copied(*args: Any, **kwargs: Any) -> Any:
        return _copied(view(*args, **kwargs))

    copied.__name__ = copied.__qualname__ = name
    copied.__signature__ = inspect.signature(view)  # type: ignore[attr-defined]
    copied.__doc__ = f"A copy of what the view of `{name.removesuffix('_copy')}` shows. As `torch.{name}`."
    return copied


def _as_seen(input: Any) -> Any:
    return input


def narrow_copy(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
    """A copy of what the view of `narrow` shows. As `torch.narrow_copy`.

    Raises:
        RankError: no such axis.
        ShapeError: as `narrow`.
    """
    if not -input.ndim <= dim < max(input.ndim, 1):
        raise RankError(
            f"narrow_copy: Expected dim < {input.ndim} to be true, but got {dim}. Fix: an axis below {input.ndim}."
        )
    return slicing.narrow(input, dim, start, length).clone()


alias_copy, detach_copy = _copy_of("alias_copy", _as_seen), _copy_of("detach_copy", lambda input: input.detach())
diagonal_copy, expand_copy = _copy_of("diagonal_copy", shape.diagonal), _copy_of("expand_copy", shape.broadcast_to)
permute_copy = _copy_of("permute_copy", shape.permute)
select_copy, squeeze_copy = _copy_of("select_copy", slicing.select), _copy_of("squeeze_copy", shape.squeeze)
split_copy, split_with_sizes_copy = (
    _copy_of("split_copy", slicing.split),
    _copy_of("split_with_sizes_copy", slicing.split_with_sizes),
)
t_copy, transpose_copy = _copy_of("t_copy", shape.t), _copy_of("transpose_copy", shape.transpose)
unbind_copy, unfold_copy = _copy_of("unbind_copy", slicing.unbind), _copy_of("unfold_copy", slicing.unfold)
unsqueeze_copy, view_copy = _copy_of("unsqueeze_copy", shape.unsqueeze), _copy_of("view_copy", shape.reshape)
view_as_real_copy = _copy_of("view_as_real_copy", convert.view_as_real)
view_as_complex_copy = _copy_of("view_as_complex_copy", convert.view_as_complex)
