"""Hooks of modules: functions called before and after a forward pass, and when gradients pass a module."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Self

from kadam.nn.modules.gradient_watch import GradientWatch
from kadam.nn.modules.traversal import Traversed
from kadam.recording.hooks import Handle

Hook = Callable[..., Any]
Table = OrderedDict[int, Hook]

everywhere: dict[str, Table] = {
    "_forward_pre_hooks": OrderedDict(),
    "_forward_hooks": OrderedDict(),
    "_backward_pre_hooks": OrderedDict(),
    "_backward_hooks": OrderedDict(),
}
options_everywhere: dict[int, dict[str, bool]] = {}


class Hooked(Traversed):
    """The part of `Module` that keeps hooks and calls the forward pass amid them."""

    _hooked = False  # whether a call must look for hooks: on an instance its own, on the class those of all modules
    _forward_pre_hooks: Table
    _forward_hooks: Table
    _backward_pre_hooks: Table
    _backward_hooks: Table
    _hook_options: dict[int, dict[str, bool]]
    _is_full_backward_hook: bool | None
    forward: Callable[..., Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        module = super().__new__(cls)
        vars(module)["_hooked"] = True  # until it is initialised, so that a call of one that is not is noticed
        return module

    def register_forward_pre_hook(self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False) -> Handle:
        """Call `hook(module, args)` before every forward pass; what it returns, if anything, replaces the arguments.

        Args:
            hook: with `with_kwargs` it is `hook(module, args, kwargs)` and may return a pair.
            prepend: whether it is called before the hooks that are there.
            with_kwargs: whether it is given keyword arguments too.
        """
        return self._hook("_forward_pre_hooks", hook, prepend, with_kwargs=with_kwargs)

    def register_forward_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> Handle:
        """Call `hook(module, args, output)` after every forward pass; what it returns, if anything, is the output.

        Args:
            hook: with `with_kwargs` it is `hook(module, args, kwargs, output)`.
            prepend: whether it is called before the hooks that are there.
            with_kwargs: whether it is given keyword arguments too.
            always_call: whether it is called even when the forward pass raises.
        """
        return self._hook("_forward_hooks", hook, prepend, with_kwargs=with_kwargs, always_call=always_call)

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> Handle:
        """Call `hook(module, grad_output)` when gradients reach the outputs; what it returns replaces them."""
        return self._hook("_backward_pre_hooks", hook, prepend)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> Handle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the inputs are known.

        What it returns, if anything, replaces `grad_input`.

        Raises:
            RuntimeError: the module has a hook of `register_backward_hook`.
        """
        self._choose_backward_hooks(full=True)
        return self._hook("_backward_hooks", hook, prepend)

    def register_backward_hook(self, hook: Hook) -> Handle:
        """The older name of `register_full_backward_hook`; `grad_input` belongs to the module's inputs here too.

        Raises:
            RuntimeError: the module has a hook of `register_full_backward_hook`.
        """
        self._choose_backward_hooks(full=False)
        return self._hook("_backward_hooks", hook, False)

    def _choose_backward_hooks(self, full: bool) -> None:
        if self._is_full_backward_hook is (not full):
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single Module. Please use only "
                "one of them. Fix: use register_full_backward_hook for all of them."
            )
        self._is_full_backward_hook = full

    def _hook(self, table: str, hook: Hook, prepend: bool, **options: bool) -> Handle:
        vars(self)["_hooked"] = True
        return _add(vars(self)[table], hook, self._hook_options, options, prepend)

    def _hooks_of(self, table: str) -> list[tuple[int, Hook]]:
        """The hooks to call, those of all modules first."""
        return [*everywhere[table].items(), *vars(self)[table].items()]

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if "_members" not in vars(self):
            raise AttributeError(
                f"'{type(self).__name__}' object has no attribute '_backward_hooks'. Fix: call super().__init__() "
                f"first in {type(self).__name__}.__init__."
            )
        if not any(everywhere.values()):
            Hooked._hooked = False
            if not any(vars(self)[table] for table in everywhere):
                vars(self).pop("_hooked", None)
                return self.forward(*args, **kwargs)
        call = _Call(self, args, kwargs)
        try:
            return call.run()
        except Exception:
            call.run_remaining()
            raise


def has_hooks(module: Hooked) -> bool:
    """Whether a call of a module runs hooks: its own, or those of all modules. (`_hooked` notes only when it is called
    that the last of them is gone.)"""
    return module._hooked and any(module._hooks_of(table) for table in everywhere)


def _add(
    table: Table, hook: Hook, table_of_options: dict[int, dict[str, bool]], options: dict[str, bool], prepend: bool
) -> Handle:
    handle = Handle(table)
    table[handle.id] = hook
    if any(options.values()):
        table_of_options[handle.id] = options
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


class _Call:
    """One call of a module that has hooks."""

    def __init__(self, module: Hooked, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.module, self.args, self.kwargs = module, args, kwargs
        self.result: Any = None
        self.called: set[int] = set()

    def wants(self, hook_id: int, option: str) -> bool:
        options = self.module._hook_options.get(hook_id) or options_everywhere.get(hook_id) or {}
        return options.get(option, False)

    def run(self) -> Any:
        for hook_id, hook in self.module._hooks_of("_forward_pre_hooks"):
            self.call_before(hook_id, hook)
        before = [hook for _, hook in self.module._hooks_of("_backward_pre_hooks")]
        after = [hook for _, hook in self.module._hooks_of("_backward_hooks")]
        watch = GradientWatch(self.module, before, after) if before or after else None
        if watch is not None:
            self.args = watch.inputs(self.args)
        self.result = self.module.forward(*self.args, **self.kwargs)
        for hook_id, hook in self.module._hooks_of("_forward_hooks"):
            self.call_after(hook_id, hook)
        if watch is not None:
            self.result = watch.outputs(self.result)
        return self.result

    def call_before(self, hook_id: int, hook: Hook) -> None:
        if self.wants(hook_id, "with_kwargs"):
            changed = hook(self.module, self.args, self.kwargs)
            if changed is None:
                return
            if not (isinstance(changed, tuple) and len(changed) == 2):
                raise RuntimeError(
                    f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}. Fix: "
                    "return (args, kwargs) or None."
                )
            self.args, self.kwargs = changed
        else:
            changed = hook(self.module, self.args)
            if changed is not None:
                self.args = changed if isinstance(changed, tuple) else (changed,)

    def call_after(self, hook_id: int, hook: Hook) -> None:
        self.called.add(hook_id)
        if self.wants(hook_id, "with_kwargs"):
            changed = hook(self.module, self.args, self.kwargs, self.result)
        else:
            changed = hook(self.module, self.args, self.result)
        if changed is not None:
            self.result = changed

    def run_remaining(self) -> None:
        """After a failure: the hooks that are always called and were not yet; their own failures only warn."""
        for hook_id, hook in self.module._hooks_of("_forward_hooks"):
            if hook_id in self.called or not self.wants(hook_id, "always_call"):
                continue
            try:
                self.call_after(hook_id, hook)
            except Exception as failure:
                warnings.warn(
                    "module forward hook with ``always_call=True`` raised an exception that was silenced as another "
                    f"error was raised in forward: {failure!s}",
                    stacklevel=4,
                )


def _hook_everywhere(table: str, hook: Hook, **options: bool) -> Handle:
    Hooked._hooked = True
    return _add(everywhere[table], hook, options_everywhere, options, prepend=False)


def register_module_forward_pre_hook(hook: Hook) -> Handle:
    """As `Module.register_forward_pre_hook`, for every module."""
    return _hook_everywhere("_forward_pre_hooks", hook)


def register_module_forward_hook(hook: Hook, *, with_kwargs: bool = False, always_call: bool = False) -> Handle:
    """As `Module.register_forward_hook`, for every module."""
    return _hook_everywhere("_forward_hooks", hook, with_kwargs=with_kwargs, always_call=always_call)


def register_module_full_backward_pre_hook(hook: Hook) -> Handle:
    """As `Module.register_full_backward_pre_hook`, for every module."""
    return _hook_everywhere("_backward_pre_hooks", hook)


def register_module_full_backward_hook(hook: Hook) -> Handle:
    """As `Module.register_full_backward_hook`, for every module."""
    return _hook_everywhere("_backward_hooks", hook)


def register_module_backward_hook(hook: Hook) -> Handle:
    """The older name of `register_module_full_backward_hook`."""
    return _hook_everywhere("_backward_hooks", hook)
