"""Parameters that are functions of others: an attribute computed by modules. As `torch.nn.utils.parametrize`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kadam.autograd import no_grad
from kadam.nn.modules.container import ModuleDict, ModuleList
from kadam.nn.modules.module import Module
from kadam.nn.parameter import Parameter
from kadam.recording.tensor import Recorded

if TYPE_CHECKING:
    from kadam.tensor import Tensor

_cache: dict[tuple[int, str], Any] | None = None  # while `cached` is on


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized attribute only once inside. As `parametrize.cached`."""
    global _cache
    outer = _cache
    _cache = {} if outer is None else outer
    try:
        yield
    finally:
        _cache = outer


class ParametrizationList(ModuleList):
    """What computes one attribute: the modules in order, and the tensors that the first one gets.

    Attributes:
        original: the tensor; `original0`, `original1` ... if there are several.
    """

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        found: Any = original
        with no_grad():
            for module in reversed(list(modules)):
                found = module.right_inverse(found) if hasattr(module, "right_inverse") else found
        self.is_tensor = isinstance(found, Recorded)
        if self.is_tensor:
            if isinstance(original, Parameter):
                with no_grad():
                    if found is not original:
                        original.data = found.detach()
                self.original = original
            else:
                self.register_buffer("original", found)
            return
        self.ntensors = len(found)
        for index, tensor in enumerate(found):
            if isinstance(original, Parameter):
                self.register_parameter(f"original{index}", Parameter(tensor.detach(), original.requires_grad))
            else:
                self.register_buffer(f"original{index}", tensor)

    def originals(self) -> list[Any]:
        """The tensors that the first module gets."""
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{index}") for index in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Change the originals so that the attribute has a value.

        Raises:
            RuntimeError: a module has no inverse.
        """
        found: Any = value
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse. Fix: define "
                        "right_inverse(self, value), or do not assign to the tensor."
                    )
                found = module.right_inverse(found)
            for original, tensor in zip(self.originals(), [found] if self.is_tensor else found, strict=True):
                original.data = tensor.detach()

    def forward(self) -> Any:
        """The attribute's value."""
        modules = list(self)
        value = modules[0](*self.originals())
        for module in modules[1:]:
            value = module(value)
        return value


def _check_kept(before: Tensor, after: Tensor) -> None:
    """Raise where a parametrization has changed what it may not.

    Raises:
        ValueError: the shape or the element type.
    """
    if tuple(before.shape) != tuple(after.shape) or before.dtype is not after.dtype:
        raise ValueError(
            f"Registering a parametrization may not change the shape or dtype of the tensor: {list(before.shape)} "
            f"{before.dtype} became {list(after.shape)} {after.dtype}. Fix: unsafe=True"
        )


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Let `parametrization` compute an attribute from what was the parameter. As in `torch.nn.utils.parametrize`.

    Args:
        module: is changed, and returned.
        tensor_name: of the parameter or buffer.
        parametrization: from tensor to tensor; with a method `right_inverse` it may start from the value there is.
        unsafe: the parametrization may change shape and element type.

    Raises:
        ValueError: there is no such parameter, or its shape or element type would change.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        parts = module.parametrizations[tensor_name]
        with no_grad():
            before = getattr(module, tensor_name)
            after = parametrization(before)
            if not unsafe:
                _check_kept(before, after)
                if hasattr(parametrization, "right_inverse"):
                    _check_kept(before, parametrization.right_inverse(before))
        parts.append(parametrization)
        return module
    if tensor_name not in module._parameters and tensor_name not in module._buffers:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
            f"'{tensor_name}'. Fix: name one of dict(module.named_parameters())."
        )
    original = getattr(module, tensor_name)
    kept = original.detach()
    parts = ParametrizationList([parametrization], original, unsafe)
    with no_grad():
        value = parts()
    if not unsafe:
        _check_kept(kept, value)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        _change_class(module)
        module.parametrizations = ModuleDict()
    _add_property(type(module), tensor_name)
    module.parametrizations[tensor_name] = parts
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module has parametrized attributes, or this one. As in `torch.nn.utils.parametrize`."""
    found = vars(module).get("parametrizations")
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make the attribute a parameter again: of its present value, or the original. As in `torch.nn.utils.parametrize`.

    Raises:
        ValueError: it is not parametrized, or there are several originals to return to.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(
            f"Module {module} does not have a parametrization on {tensor_name}. Fix: look at "
            "torch.nn.utils.parametrize.is_parametrized(module)."
        )
    parts = module.parametrizations[tensor_name]
    if not leave_parametrized and not parts.is_tensor:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized by several. Fix: "
            "leave_parametrized=True."
        )
    originals = parts.originals()
    kept = originals[0]
    if leave_parametrized:
        with no_grad():
            value = getattr(module, tensor_name).detach()
        if parts.is_tensor:
            kept.data = value
        else:
            kept = Parameter(value) if isinstance(kept, Parameter) else value
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    if isinstance(kept, Parameter):
        module.register_parameter(tensor_name, kept)
    else:
        module.register_buffer(tensor_name, kept)
    if not is_parametrized(module):
        del module._modules["parametrizations"]
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class of a module as it was before its tensors were given parametrizations."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Give a module the parametrizations of another one's tensors, and the tensors that they read.

    Raises:
        TypeError: the modules are of different classes.
    """
    if not is_parametrized(from_module):
        return to_module
    kinds = [type_before_parametrizations(one) for one in (from_module, to_module)]
    if kinds[0] is not kinds[1]:
        raise TypeError(
            f"transfer_parametrizations_and_params: the modules are a {kinds[0].__name__} and a {kinds[1].__name__}. "
            "Fix: give modules of one class."
        )
    parametrized = from_module.parametrizations
    for name in [tensor_name] if tensor_name is not None else list(parametrized):
        own = parametrized[name]
        if not is_parametrized(to_module, name):
            for one in own:
                register_parametrization(to_module, name, one)
        taken = to_module.parametrizations[name]
        for key, value in own._parameters.items():
            taken._parameters[key] = value
    return to_module


def _change_class(module: Module) -> None:
    """Give a module a class of its own, which can have properties."""
    kind = type(module)
    module.__class__ = type(f"Parametrized{kind.__name__}", (kind,), {"__module__": kind.__module__})


def _add_property(kind: type, name: str) -> None:
    def value(self: Module) -> Any:
        if _cache is None:
            return self.parametrizations[name]()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = self.parametrizations[name]()
        return _cache[key]

    def assign(self: Module, new: Any) -> None:
        self.parametrizations[name].right_inverse(new)

    setattr(kind, name, property(value, assign))


__all__ = [
    "ParametrizationList", "cached", "is_parametrized", "register_parametrization", "remove_parametrizations",
    "transfer_parametrizations_and_params", "type_before_parametrizations",
]  # fmt: skip
