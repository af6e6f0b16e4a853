"""`Module`, the base of all layers and models: state with names, a forward pass, and a picture of itself in text."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from kadam.nn.modules.conversion import Convertible
from kadam.nn.modules.hooks import (
    register_module_backward_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
)
from kadam.nn.modules.registration import (
    BUFFER,
    MODULE,
    PARAMETER,
    RegistrationHook,
    members_of,
    register,
    registration_hooks,
)
from kadam.nn.modules.state import IncompatibleKeys as _IncompatibleKeys  # noqa: F401, which libraries import here
from kadam.recording.hooks import Handle
from kadam.recording.place import module_calls

_HOOK_TABLES = (
    "_forward_pre_hooks",
    "_forward_hooks",
    "_backward_pre_hooks",
    "_backward_hooks",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


def _forward_unimplemented(self: Module, *input: Any) -> None:
    """Compute the output; every subclass defines it."""
    raise NotImplementedError(
        f'Module [{type(self).__name__}] is missing the required "forward" function'
        ". Fix: define  def forward(self, x); look at the spelling and the indentation."
    )


class Module(Convertible):
    """The base of all layers and models.

    A subclass calls `super().__init__()`, assigns parameters, buffers and submodules to attributes, and defines
    `forward`. What is assigned is found by `parameters`, saved by `state_dict` and shown by `print`.

    Attributes:
        training: whether the module is in training mode; see `train` and `eval`.
        call_super_init: whether `Module.__init__` passes its arguments on to the next class, for multiple inheritance.
    """

    training: bool
    call_super_init: bool = False
    dump_patches: bool = False
    _derived: tuple[str, ...] = ()  # properties that are attributes in PyTorch's files

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and (args or kwargs):
            wrong = (
                f"got an unexpected keyword argument '{next(iter(kwargs))}'"
                if kwargs
                else f"takes 1 positional argument but {len(args) + 1} were given"
            )
            raise TypeError(
                f"{type(self).__name__}.__init__() {wrong}. Fix: super().__init__() takes no arguments here; keep them "
                "in the subclass."
            )
        vars(self).update(
            training=True, _members={}, _non_persistent_buffers_set=set(), _hook_options={}, _is_full_backward_hook=None
        )
        vars(self).update((table, OrderedDict()) for table in _HOOK_TABLES)
        vars(self).pop("_hooked", None)
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    forward: Callable[..., Any] = _forward_unimplemented

    # Where a call was recorded is read from the frames of this function: see `kadam.recording.place`.
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooked:
            return self._call_with_hooks(args, kwargs)
        return self.forward(*args, **kwargs) if kwargs else self.forward(*args)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Members and tables are copied, so that `copy.copy` gives a module of its own; PyTorch's layout is read too.
        vars(self).update(state)
        vars(self).setdefault("_hook_options", {})
        vars(self)["_members"] = dict(state.get("_members", {}))
        vars(self)["_non_persistent_buffers_set"] = set(state.get("_non_persistent_buffers_set", ()))
        for table in _HOOK_TABLES:
            vars(self)[table] = OrderedDict(state.get(table, {}))
        if not any(vars(self)[table] for table in _HOOK_TABLES):
            vars(self).pop("_hooked", None)
        for kind in (PARAMETER, BUFFER, MODULE):
            for name, member in vars(self).pop(f"_{kind}s", {}).items():
                register(vars(self), kind, name, member)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Accepted as in PyTorch; every training step is compiled without being asked."""

    def extra_repr(self) -> str:
        """What `repr` shows of this module besides its submodules."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        own = extra.split("\n") if extra else []
        children = [f"({name}): {indented(repr(module))}" for name, module in members_of(vars(self), MODULE)]
        if not children and len(own) <= 1:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join(own + children) + "\n)"

    def _repr_html_(self) -> str:
        from kadam.nn.modules.shown import as_html

        return as_html(self)

    def __dir__(self) -> list[str]:
        return sorted(name for name in {*dir(type(self)), *vars(self)} if not name[0].isdigit())


module_calls[id(Module.__call__.__code__)] = Module.__call__.__code__


def indented(text: str) -> str:
    """The text with every line but its first moved in by two."""
    return text.replace("\n", "\n  ")


def settings(module: object, *names: str) -> str:
    """Attributes as `repr` shows them: `kernel_size=2, stride=2`."""
    return ", ".join(f"{name}={getattr(module, name)!r}" for name in names)


def listed(*parts: str | bool) -> str:
    """The parts of an `extra_repr` that apply, in a row: `wanted and text` leaves out what is not wanted."""
    return ", ".join(part for part in parts if isinstance(part, str) and part)


def register_module_parameter_registration_hook(hook: RegistrationHook) -> Handle:
    """Call `hook(module, name, parameter)` when any module registers a parameter; it may return another."""
    return _registration_hook(PARAMETER, hook)


def register_module_buffer_registration_hook(hook: RegistrationHook) -> Handle:
    """Call `hook(module, name, buffer)` when any module registers a buffer; it may return another."""
    return _registration_hook(BUFFER, hook)


def register_module_module_registration_hook(hook: RegistrationHook) -> Handle:
    """Call `hook(module, name, submodule)` when any module registers a submodule; it may return another."""
    return _registration_hook(MODULE, hook)


def _registration_hook(kind: str, hook: RegistrationHook) -> Handle:
    table = registration_hooks[kind]
    handle = Handle(table)
    table[handle.id] = hook
    return handle


__all__ = [
    "Module", "indented", "listed", "register_module_backward_hook", "register_module_buffer_registration_hook",
    "register_module_forward_hook", "register_module_forward_pre_hook", "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook", "register_module_module_registration_hook",
    "register_module_parameter_registration_hook", "settings",
]  # fmt: skip
