"""Walking a tree of modules: its submodules, parameters and buffers, each once and with its path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self, cast

from kadam.nn.modules.registration import BUFFER, MODULE, PARAMETER, Registered, members_of
from kadam.nn.parameter import Parameter
from kadam.tensor import Tensor

if TYPE_CHECKING:
    from kadam.nn.modules.module import Module


class Traversed(Registered):
    """The part of `Module` that enumerates and finds what the module and its submodules own."""

    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it with their paths, parents first.

        Args:
            memo: the modules that were seen before and are left out.
            prefix: the path of this module.
            remove_duplicate: whether a module that stands in two places is given once.
        """
        seen = set() if memo is None else memo
        if self in seen:
            return
        if remove_duplicate:
            seen.add(self)
        yield prefix, cast("Module", self)
        for name, module in members_of(vars(self), MODULE):
            if module is not None:
                yield from module.named_modules(seen, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below it, parents first."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct submodules with their names, each once."""
        seen: set[int] = set()
        for name, module in members_of(vars(self), MODULE):
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self) -> Iterator[Module]:
        """The direct submodules, each once."""
        for _, module in self.named_children():
            yield module

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their paths, such as `encoder.fc1.weight`.

        Args:
            prefix: put before every path.
            recurse: whether those of submodules are included.
            remove_duplicate: whether a shared parameter is given once.
        """
        yield from self._named_members(PARAMETER, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters of this module and, with `recurse`, of all below it; each once."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their paths; arguments as in `named_parameters`."""
        yield from self._named_members(BUFFER, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers of this module and, with `recurse`, of all below it; each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def _named_members(self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool) -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = []
        _gather(self, kind, prefix and f"{prefix}.", recurse, set() if remove_duplicate else None, found)
        return found

    def get_submodule(self, target: str) -> Module:
        """The submodule at a path such as `encoder.fc1`; the empty path is this module.

        Raises:
            AttributeError: a part of the path does not exist or is not a module.
        """
        module: Any = self
        for name in target.split(".") if target else ():
            module = _attribute(module, name)
            if not isinstance(module, Traversed):
                raise AttributeError(
                    f"`{name}` is not an nn.Module. Fix: name a module of [name for name, _ in model.named_modules()]."
                )
        return cast("Module", module)

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module at a path such as `encoder.fc1`.

        Args:
            target: the path; all but its last part must exist.
            module: what to put there.
            strict: whether the last part must exist too.

        Raises:
            ValueError: the path is empty, or `module` is not a module.
            AttributeError: a part of the path that must exist does not, or is not a module.
        """
        if target == "":
            raise ValueError(
                "Cannot set the submodule without a target name! Fix: give a dotted name, for example 'encoder.fc1'."
            )
        if not isinstance(module, Traversed):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}. Fix: give an nn.Module.")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if (strict or hasattr(parent, name)) and not isinstance(_attribute(parent, name), Traversed):
            raise AttributeError(
                f"`{name}` is not an nn.Module. Fix: name a module of [name for name, _ in model.named_modules()]."
            )
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as `encoder.fc1.weight`.

        Raises:
            AttributeError: there is no such attribute, or it is not a parameter.
        """
        path, _, name = target.rpartition(".")
        parameter = _attribute(self.get_submodule(path), name)
        if not isinstance(parameter, Parameter):
            raise AttributeError(
                f"`{name}` is not an nn.Parameter. Fix: name a parameter of dict(model.named_parameters())."
            )
        return parameter

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path such as `encoder.norm.running_mean`.

        Raises:
            AttributeError: there is no such attribute, or it is not a buffer.
        """
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        buffer: Tensor = _attribute(owner, name)
        if name not in owner._buffers:
            raise AttributeError(f"`{name}` is not a buffer. Fix: name a buffer of dict(model.named_buffers()).")
        return buffer

    def apply(self, fn: Callable[[Module], None]) -> Self:
        """Call `fn` on every submodule and on this module, children first."""
        for child in self.children():
            child.apply(fn)
        fn(cast("Module", self))
        return self

    def train(self, mode: bool = True) -> Self:
        """Put this module and all below it into training mode, or with False into evaluation mode.

        Raises:
            ValueError: `mode` is not a bool.
        """
        if not isinstance(mode, bool):
            raise ValueError(
                f"{type(self).__name__}.train: training mode is expected to be boolean. Fix: model.train() or "
                "model.eval()."
            )
        vars(self)["training"] = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Put this module and all below it into evaluation mode (dropout off, running statistics used)."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set whether the parameters are trained."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or with `set_to_none=False` set them to zero."""
        for parameter in self.parameters():
            if parameter.grad is None:
                continue
            if set_to_none:
                parameter.grad = None
            else:
                parameter.grad = parameter.grad.detach().zero_()


def _gather(
    module: Traversed, kind: str, path: str, recurse: bool, seen: set[int] | None, found: list[tuple[str, Any]]
) -> None:
    """Append the members of one kind with their paths, those of the module first; each once if `seen` is given."""
    attributes, children = vars(module), []
    for name, is_a in module._members.items():
        member = attributes[name]
        if member is None or not (is_a == kind or (recurse and is_a == MODULE)):
            continue
        if seen is not None:
            if id(member) in seen:
                continue
            seen.add(id(member))
        if is_a == kind:
            found.append((path + name, member))
        else:
            children.append((name, member))
    for name, child in children:
        _gather(child, kind, f"{path}{name}.", recurse, seen, found)


def _attribute(module: Any, name: str) -> Any:
    if not hasattr(module, name):
        raise AttributeError(
            f"{type(module).__name__} has no attribute `{name}`. Fix: look at [name for name, _ in "
            "model.named_modules()]."
        )
    return getattr(module, name)
