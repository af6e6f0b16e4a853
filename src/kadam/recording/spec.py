"""What is known of a tensor without its values. Specs are interned: one object for each, compared by identity."""

from __future__ import annotations

from kadam.dtypes import dtype
from kadam.hot import slotted
from kadam.ir.types import TensorType
from kadam.shapes import Shape

Order = tuple[int, ...]


class Size(tuple[int, ...]):
    """A tensor's shape, as `torch.Size`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    __str__ = __repr__

    def numel(self) -> int:
        """How many elements a tensor of this size has."""
        total = 1
        for size in self:
            total *= size
        return total

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other: tuple[int, ...]) -> Size:  # type: ignore[override]
        return Size(tuple.__add__(self, other))

    def __reduce__(self) -> tuple[type, tuple[tuple[int, ...]]]:
        return Size, (tuple(self),)


@slotted
class Spec:
    """Type and role of a tensor; it stands in the trail's keys for a tensor that a recording meets first.

    Attributes:
        type: element type and shape.
        requires_grad: whether gradients flow to or through the tensor.
        grad_name: PyTorch's name of the operation that made it, such as `MeanBackward0`; None for a leaf.
        weak: a Python number: it never decides the type of a result within its category.
        order: the axes as they lie in memory, from the outermost to the innermost; None: in their own order.
        inference: whether the memory was made in `inference_mode`.
    """

    __slots__ = ("dtype", "grad_name", "inference", "order", "requires_grad", "shape", "type", "weak")

    def __init__(
        self,
        kind: TensorType,
        requires_grad: bool,
        grad_name: str | None,
        weak: bool,
        order: Order | None,
        inference: bool,
    ) -> None:
        self.type = kind
        self.dtype: dtype = kind.dtype
        self.shape = Size(kind.shape)
        self.requires_grad = requires_grad
        self.grad_name = grad_name
        self.weak = weak
        self.order = order
        self.inference = inference

    def derived(self, requires_grad: bool = False, grad_name: str | None = None) -> Spec:
        """That of the same memory with another derivative, or none."""
        return spec_of(self.type, requires_grad, grad_name, order=self.order, inference=self.inference)

    def made_in(self, inference: bool) -> Spec:
        """The same of a tensor that was made in `inference_mode`, or was not."""
        if self.inference == inference:
            return self
        return spec_of(self.type, self.requires_grad, self.grad_name, self.weak, self.order, inference)

    @property
    def is_leaf(self) -> bool:
        return self.grad_name is None

    def __repr__(self) -> str:
        return f"<{self.type}{' requires_grad' if self.requires_grad else ''} {self.grad_name or 'leaf'}>"


_known: dict[tuple[dtype, Shape, bool, str | None, bool, Order | None, bool], Spec] = {}
_BOUND = 100_000  # shapes that change at every step must not fill the memory


def spec_of(
    kind: TensorType,
    requires_grad: bool = False,
    grad_name: str | None = None,
    weak: bool = False,
    order: Order | None = None,
    inference: bool = False,
) -> Spec:
    """The one spec of these properties."""
    key = (kind.dtype, kind.shape, requires_grad, grad_name, weak, order, inference)
    spec = _known.get(key)
    if spec is None:
        if len(_known) >= _BOUND:
            _known.clear()  # identities differ from now on: paths are seen afresh, nothing else changes
        spec = _known[key] = Spec(kind, requires_grad, grad_name, weak, order, inference)
    return spec
