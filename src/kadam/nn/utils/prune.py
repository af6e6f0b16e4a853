"""Weights set to zero for good. As `torch.nn.utils.prune`.

The parameter `weight` becomes `weight_orig`, beside a buffer `weight_mask`; before each forward pass `weight` is their
product.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kadam.nn.modules.module import Module
from kadam.nn.utils.pruning import (
    BasePruningMethod,
    CustomFromMask,
    Identity,
    L1Unstructured,
    LnStructured,
    PruningContainer,
    RandomStructured,
    RandomUnstructured,
    pruning_of,
)
from kadam.ops.combine import cat
from kadam.ops.creation import ones_like
from kadam.tensor import Tensor


def identity(module: Module, name: str) -> Module:
    """Prune nothing, but let `name` be the product of `name_orig` and a mask of ones."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Prune elements at random.

    Args:
        module: is changed, and returned.
        name: of its parameter.
        amount: how many, or (a float between 0 and 1) which part.
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: Module, name: str, amount: float, importance_scores: Tensor | None = None) -> Module:
    """Prune the elements of least magnitude, or of least importance if that is given."""
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: float, dim: int) -> Module:
    """Prune whole slices along an axis, at random."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Module, name: str, amount: float, n: Any, dim: int, importance_scores: Tensor | None = None
) -> Module:
    """Prune the slices along an axis that have the least n-norm."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune what a mask says: where it is 0."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]], pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None, **kwargs: Any,
) -> None:  # fmt: skip
    """Prune the elements of several parameters as if they were one.

    Args:
        parameters: modules, and the names of their parameters.
        pruning_method: such as `L1Unstructured`.
        importance_scores: by which they are compared, of each of the parameters that has any.
        kwargs: of the method.

    Raises:
        TypeError: the method prunes slices.
    """
    chosen = list(parameters)
    scores = importance_scores or {}
    flat = cat([scores.get((module, name), getattr(module, name)).reshape(-1) for module, name in chosen])
    before = [getattr(module, f"{name}_mask", ones_like(getattr(module, name))) for module, name in chosen]
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
            f"{pruning_method} of type {method.PRUNING_TYPE}. Fix: L1Unstructured or RandomUnstructured."
        )
    method._tensor_name = "temp"
    mask = PruningContainer(method).compute_mask(flat, cat([one.reshape(-1) for one in before]))
    start = 0
    for module, name in chosen:
        tensor = getattr(module, name)
        custom_from_mask(module, name, mask[start : start + tensor.numel()].view_as(tensor))
        start += tensor.numel()


def remove(module: Module, name: str) -> Module:
    """Make the pruned parameter an ordinary one, its zeros as they are.

    Raises:
        ValueError: it is not pruned.
    """
    found = pruning_of(module, name)
    if found is None:
        raise ValueError(
            f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed. Fix: look at "
            "is_pruned(module)."
        )
    key, method = found
    del module._forward_pre_hooks[key]
    method.remove(module)
    return module


def is_pruned(module: Module) -> bool:
    """Whether a parameter of the module, or of one in it, is pruned."""
    return any(
        isinstance(hook, BasePruningMethod) for part in module.modules() for hook in part._forward_pre_hooks.values()
    )


__all__ = [
    "BasePruningMethod", "CustomFromMask", "Identity", "L1Unstructured", "LnStructured",
    "PruningContainer", "RandomStructured", "RandomUnstructured", "custom_from_mask",
    "global_unstructured", "identity", "is_pruned", "l1_unstructured", "ln_structured", "random_structured",
    "random_unstructured", "remove",
]  # fmt: skip
