"""Modules whose parameters take their shapes from the first input."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

from kadam.nn.modules.module import Module
from kadam.nn.parameter import is_lazy
from kadam.tensor import Tensor


class LazyModuleMixin(Module):
    """Put before a module's class, it makes the module wait for its first input.

    The first call runs `initialize_parameters` with the inputs, after which the module becomes one of `cls_to_become`.
    """

    cls_to_become: type[Any] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(_take_shapes, with_module=True)
        self._initialize_hook = self.register_forward_pre_hook(_initialize, with_kwargs=True)
        warnings.warn(
            "Lazy modules are a new feature under heavy development so changes to the API or functionality can happen "
            "at any moment.",
            stacklevel=2,
        )

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give the parameters the shapes that follow from the inputs; every lazy module defines it."""
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {type(self).__name__}. Fix: define it: it calls "
            "materialize(shape) on each lazy parameter."
        )

    def has_uninitialized_params(self) -> bool:
        """Whether any parameter or buffer of this module waits for its shape."""
        members = itertools.chain(self._parameters.values(), self._buffers.values())
        return any(is_lazy(member) for member in members)


def _initialize(module: LazyModuleMixin, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Before the first forward pass: give the parameters their shapes and let the module be an ordinary one."""
    module.initialize_parameters(*args, **kwargs)
    if module.has_uninitialized_params():
        raise RuntimeError(
            f"module {module._get_name()} has not been fully initialized: `initialize_parameters` left a parameter "
            "without a shape. Fix: call materialize(shape) on each lazy parameter there."
        )
    module._initialize_hook.remove()
    module._load_hook.remove()
    del module._initialize_hook, module._load_hook
    if module.cls_to_become is not None:
        module.__class__ = module.cls_to_become


def _take_shapes(module: LazyModuleMixin, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
    """Before loading: what waits for its shape takes that of the tensor to be loaded."""
    for name, member in (*module._parameters.items(), *module._buffers.items()):
        given = state_dict.get(prefix + name)
        if is_lazy(member) and isinstance(given, Tensor) and not is_lazy(given):
            member.materialize(given.shape)  # type: ignore[union-attr]
