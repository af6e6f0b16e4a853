"""Ways to choose which elements of a parameter to prune."""

from __future__ import annotations

from typing import Any, ClassVar

from kadam.nn.modules.module import Module
from kadam.nn.parameter import Parameter
from kadam.ops.creation import ones_like, zeros_like
from kadam.ops.random import rand, rand_like
from kadam.ops.reduce import norm
from kadam.ops.require import ArgumentError
from kadam.ops.sort import kthvalue, topk
from kadam.recording.modes import no_grad
from kadam.tensor import Tensor


class BasePruningMethod:
    """Prunes one parameter of a module; subclasses define `compute_mask`.

    Attributes:
        PRUNING_TYPE: "unstructured" (single elements), "structured" (slices) or "global" (what it likes).
    """

    PRUNING_TYPE: ClassVar[str] = "unstructured"
    _tensor_name: str

    def __call__(self, module: Module, inputs: Any) -> None:
        """Before a forward pass: make the parameter anew."""
        setattr(module, self._tensor_name, self.apply_mask(module))

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask of a tensor, 0 where it is pruned, within the mask that it has.

        Raises:
            NotImplementedError: the class does not define it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define compute_mask. Fix: define it.")

    def apply_mask(self, module: Module) -> Tensor:
        """The pruned parameter."""
        mask: Tensor = getattr(module, f"{self._tensor_name}_mask")
        original: Tensor = getattr(module, f"{self._tensor_name}_orig")
        return mask.to(dtype=original.dtype) * original

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> BasePruningMethod:
        """Prune a parameter by a method of this class, after those that have pruned it before."""
        method: BasePruningMethod = cls(*args, **kwargs)
        method._tensor_name = name
        before = pruning_of(module, name)
        original = getattr(module, name)
        scores = original if importance_scores is None else importance_scores
        if before is None:
            module.register_parameter(f"{name}_orig", original)
            del module._parameters[name]
            mask = ones_like(original)
        else:
            del module._forward_pre_hooks[before[0]]
            earlier = before[1]
            container = earlier if isinstance(earlier, PruningContainer) else PruningContainer(earlier)
            container.add_pruning_method(method)
            method, mask = container, getattr(module, f"{name}_mask").detach().clone()
        with no_grad():
            mask = method.compute_mask(scores.detach(), mask)
        module.register_buffer(f"{name}_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """A tensor, pruned."""
        scores = t if importance_scores is None else importance_scores
        return t * self.compute_mask(scores, ones_like(t) if default_mask is None else default_mask)

    def remove(self, module: Module) -> None:
        """Make the pruned parameter an ordinary one."""
        name = self._tensor_name
        value = self.apply_mask(module).detach()
        original: Parameter = module._parameters.pop(f"{name}_orig")  # type: ignore[assignment]
        original.data = value
        del module._buffers[f"{name}_mask"]
        delattr(module, name)
        setattr(module, name, original)


def pruning_of(module: Module, name: str) -> tuple[int, BasePruningMethod] | None:
    """The hook that prunes a parameter, and its key among the module's hooks."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            return key, hook
    return None


class PruningContainer(BasePruningMethod):
    """Methods that prune one parameter one after the other; each one what those before it have left."""

    def __init__(self, *args: BasePruningMethod) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        for method in args:
            self._tensor_name = method._tensor_name
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod) -> None:
        """Add a method.

        Raises:
            TypeError: it is none.
            ArgumentError: it prunes another parameter.
        """
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass. Fix: an object of such a class.")
        if method._tensor_name != self._tensor_name:
            raise ArgumentError(
                "Can only add pruning methods acting on the parameter named "
                f"'{self._tensor_name}' to PruningContainer {self}. Found '{method._tensor_name}'. Fix: one container "
                "for each parameter."
            )
        self._pruning_methods = (*self._pruning_methods, method)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __getitem__(self, index: int) -> BasePruningMethod:
        return self._pruning_methods[index]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        method = self._pruning_methods[-1]
        mask = default_mask.to(dtype=t.dtype).clone()
        kept: Any
        if method.PRUNING_TYPE == "unstructured":
            kept = mask == 1
        elif method.PRUNING_TYPE == "structured":
            axis = method.dim % t.dim()  # type: ignore[attr-defined]
            others = [one for one in range(t.dim()) if one != axis]
            kept = (slice(None),) * axis + (mask.sum(dim=others) != 0,)
        else:
            kept = slice(None)
        mask[kept] = method.compute_mask(t[kept], mask[kept])
        return mask


class Identity(BasePruningMethod):
    """Prunes nothing."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class _Amount(BasePruningMethod):
    """The base of methods that prune a number, or (a float between 0 and 1) a part."""

    def __init__(self, amount: float) -> None:
        if isinstance(amount, bool) or not isinstance(amount, int | float):
            raise TypeError(f"Invalid type for amount: {amount}. Must be int or float. Fix: amount=0.3.")
        if amount < 0 or (isinstance(amount, float) and amount > 1.0):
            raise ArgumentError(
                f"amount={amount} should either be a float in the range [0.0, 1.0] or a non-negative integer. Fix: "
                "amount=0.3."
            )
        self.amount = amount

    def _number(self, size: int) -> int:
        number = self.amount if isinstance(self.amount, int) else round(self.amount * size)
        if number > size:
            raise ArgumentError(
                f"amount={number} should be smaller than the number of parameters to prune={size}. Fix: amount=0.3."
            )
        return number


class RandomUnstructured(_Amount):
    """Prunes elements at random."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return _without(default_mask, self._number(t.numel()), lambda: rand_like(t), largest=True)


class L1Unstructured(_Amount):
    """Prunes the elements of least magnitude."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return _without(default_mask, self._number(t.numel()), lambda: t.abs(), largest=False)


def _without(mask: Tensor, number: int, scores: Any, largest: bool) -> Tensor:
    mask = mask.clone()
    if number:
        mask.view(-1)[topk(scores().reshape(-1), number, largest=largest)[1]] = 0
    return mask


class _Structured(_Amount):
    """The base of methods that prune slices along an axis."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def _with_slices(self, mask: Tensor, kept: Tensor) -> Tensor:
        new = zeros_like(mask)
        new[(slice(None),) * (self.dim % mask.dim()) + (kept,)] = 1
        return new * mask.to(dtype=new.dtype)


class RandomStructured(_Structured):
    """Prunes slices at random."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        size = t.shape[self.dim]
        number = self._number(size)
        if not number:
            return default_mask
        scores = rand(size)
        return self._with_slices(default_mask, scores > kthvalue(scores, number)[0])


class LnStructured(_Structured):
    """Prunes the slices of least n-norm."""

    def __init__(self, amount: float, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        size = t.shape[self.dim]
        number = self._number(size)
        if not number:
            return default_mask
        others = [axis for axis in range(t.dim()) if axis != self.dim % t.dim()]
        return self._with_slices(default_mask, topk(norm(t, p=self.n, dim=others), size - number)[1])


class CustomFromMask(BasePruningMethod):
    """Prunes what a mask says."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask * self.mask.to(dtype=default_mask.dtype)
