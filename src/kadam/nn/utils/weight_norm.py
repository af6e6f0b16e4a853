"""Weights as a length times a direction, recomputed before each call of the module. As `torch.nn.utils.weight_norm`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, TypeVar

from kadam.nn.parameter import Parameter
from kadam.recording.operation import operation

if TYPE_CHECKING:
    from kadam.nn.modules.module import Module
    from kadam.tensor import Tensor

Kind = TypeVar("Kind", bound="Module")


def norm_except_dim(v: Tensor, pow: int = 2, dim: int | None = 0) -> Tensor:
    """The lengths of the parts of `v` along one axis; the length of all of it without one.

    Shapes:
        v f32[n, *rest] -> f32[n, 1, ...] for dim 0
    """
    if dim is None or dim == -1:
        return v.norm(pow)
    axes = [axis for axis in range(v.dim()) if axis != dim % v.dim()]
    if pow == 2:
        return (v * v).sum(axes, keepdim=True).sqrt()
    return v.abs().pow(pow).sum(axes, keepdim=True).pow(1 / pow)


def scaled(v: Tensor, g: Tensor, dim: int | None) -> Tensor:
    """`v` with the lengths `g`."""
    if dim in (0, v.dim() - 1):
        return normed_weight(v, g, dim)
    return v * (g / norm_except_dim(v, 2, dim))


@operation(grad="WeightNormInterfaceBackward0")
def normed_weight(v: Tensor, g: Tensor, dim: int | None) -> Tensor:
    return v * (g / norm_except_dim(v, 2, dim))


class WeightNorm:
    """Recomputes a weight from its length and direction: a hook before the forward pass."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, dim

    def compute_weight(self, module: Module) -> Any:
        """The weight."""
        return scaled(getattr(module, self.name + "_v"), getattr(module, self.name + "_g"), self.dim)

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module: Kind, name: str = "weight", dim: int | None = 0) -> Kind:
    """Replace the parameter `name` by its length `name_g` and its direction `name_v`.

    Source: T. Salimans and D. Kingma, "Weight Normalization" (2016).

    Args:
        module: is changed, and returned.
        name: of the parameter.
        dim: the axis whose parts have lengths of their own; None: one length for all.

    Raises:
        RuntimeError: it is done already.
    """
    warnings.warn(
        "`torch.nn.utils.weight_norm` is deprecated in favor of `torch.nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
        stacklevel=2,
    )
    if any(isinstance(hook, WeightNorm) and hook.name == name for hook in module._forward_pre_hooks.values()):
        raise RuntimeError(
            f"Cannot register two weight_norm hooks on the same parameter {name}. Fix: apply it once, or "
            "remove_weight_norm first."
        )
    hook = WeightNorm(name, -1 if dim is None else dim)
    weight = getattr(module, name)
    del module._parameters[name]
    module.register_parameter(name + "_g", Parameter(norm_except_dim(weight, 2, dim).detach()))
    module.register_parameter(name + "_v", Parameter(weight.detach()))
    setattr(module, name, hook.compute_weight(module))
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module: Kind, name: str = "weight") -> Kind:
    """Make the weight one parameter again. As `torch.nn.utils.remove_weight_norm`.

    Raises:
        ValueError: `name` is not normalised.
    """
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, WeightNorm) and hook.name == name:
            weight = hook.compute_weight(module).detach()
            delattr(module, name)
            del module._parameters[name + "_g"], module._parameters[name + "_v"]
            setattr(module, name, Parameter(weight))
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(
        f"weight_norm of '{name}' not found in {module}. Fix: name a parameter that weight_norm was applied to."
    )
