"""Hooks of modules: functions called before and after a forward pass, and when gradients pass a module."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kadam.autograd import Function
from kadam.nn.modules.traversal import Traversed
from kadam.recording.modes import is_grad_enabled
from kadam.tensor import Tensor
from kadam.utils.hooks import RemovableHandle

if TYPE_CHECKING:
    from kadam.nn.modules.module import Module

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

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before every forward pass; what it returns, if anything, replaces the arguments.

        Args:
            hook: with `with_kwargs` it is `hook(module, args, kwargs)` and may return a pair.
            prepend: whether it is called before the hooks that are there.
            with_kwargs: whether it is given keyword arguments too.
        """
        return self._hook("_forward_pre_hooks", hook, prepend, with_kwargs=with_kwargs)

    def register_forward_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after every forward pass; what it returns, if anything, is the output.

        Args:
            hook: with `with_kwargs` it is `hook(module, args, kwargs, output)`.
            prepend: whether it is called before the hooks that are there.
            with_kwargs: whether it is given keyword arguments too.
            always_call: whether it is called even when the forward pass raises.
        """
        return self._hook("_forward_hooks", hook, prepend, with_kwargs=with_kwargs, always_call=always_call)

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_output)` when gradients reach the outputs; what it returns replaces them."""
        return self._hook("_backward_pre_hooks", hook, prepend)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the inputs are known.

        What it returns, if anything, replaces `grad_input`.

        Raises:
            RuntimeError: the module has a hook of `register_backward_hook`.
        """
        self._choose_backward_hooks(full=True)
        return self._hook("_backward_hooks", hook, prepend)

    def register_backward_hook(self, hook: Hook) -> RemovableHandle:
        """The older name of `register_full_backward_hook`; `grad_input` belongs to the module's inputs here too.

        Raises:
            RuntimeError: the module has a hook of `register_full_backward_hook`.
        """
        self._choose_backward_hooks(full=False)
        return self._hook("_backward_hooks", hook, False)

    def _choose_backward_hooks(self, full: bool) -> None:
        if self._is_full_backward_hook is (not full):
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single Module. "
                "Please use only one of them."
            )
        self._is_full_backward_hook = full

    def _hook(self, table: str, hook: Hook, prepend: bool, **options: bool) -> RemovableHandle:
        vars(self)["_hooked"] = True
        return _add(vars(self)[table], hook, self._hook_options, options, prepend)

    def _hooks_of(self, table: str) -> list[tuple[int, Hook]]:
        """The hooks to call, those of all modules first."""
        return [*everywhere[table].items(), *vars(self)[table].items()]

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
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


def _add(
    table: Table, hook: Hook, table_of_options: dict[int, dict[str, bool]], options: dict[str, bool], prepend: bool
) -> RemovableHandle:
    handle = RemovableHandle(table, extra_dict=table_of_options)
    table[handle.id] = hook
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
                    f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}."
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


class _Passing(Function):
    """Identity whose backward pass shows the gradients to a callback, which may replace them."""

    @staticmethod
    def forward(ctx: Any, seen: Callable[[Sequence[Any]], Sequence[Any]], *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.seen = seen
        return tuple(tensor.view_as(tensor) for tensor in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        return (None, *ctx.seen(gradients))


class GradientWatch:
    """The backward hooks of one call: they see the gradients of its outputs, then those of its inputs."""

    def __init__(self, module: Hooked, before: list[Hook], after: list[Hook]) -> None:
        self.module, self.before, self.after = module, before, after
        self.watched: list[int] | None = None  # positions of the inputs that take part in the gradient
        self.input_count = 0
        self.result_positions: list[int] = []
        self.result_count = 0
        self.grad_output: tuple[Tensor | None, ...] | None = None

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, those tensors that need gradients passed through a watched identity."""
        self.input_count = len(args)
        passed, positions = _passed(args, self.gradients_of_inputs)
        self.watched = positions or None
        return passed

    def outputs(self, result: Any) -> Any:
        """The result, its tensors passed through a watched identity."""
        if not isinstance(result, Tensor | tuple):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors "
                f"but received {type(result)}",
                stacklevel=5,
            )
            return result
        several = result if isinstance(result, tuple) else (result,)
        self.result_count = len(several)
        passed, self.result_positions = _passed(several, self.gradients_of_outputs)
        return passed if isinstance(result, tuple) else passed[0]

    def gradients_of_outputs(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        grad_output = _placed(gradients, self.result_positions, self.result_count)
        for hook in self.before:
            changed = hook(self.module, grad_output)
            if changed is not None:
                grad_output = _as_many(changed, self.result_count, "pre hook")
        self.grad_output = grad_output
        if self.watched is None:
            self._finish_without_inputs()
        return [grad_output[position] for position in self.result_positions]

    def gradients_of_inputs(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        assert self.watched is not None
        if self.grad_output is None:
            raise RuntimeError(
                f"Module backward hook of {type(self.module).__name__} is called before its outputs have gradients. "
                "Fix: use every input of the module only through its outputs."
            )
        grad_input = _placed(gradients, self.watched, self.input_count)
        for hook in self.after:
            changed = hook(self.module, grad_input, self.grad_output)
            if changed is not None:
                grad_input = _as_many(changed, self.input_count, "hook")
        self.grad_output = None
        return [grad_input[position] for position in self.watched]

    def _finish_without_inputs(self) -> None:
        for hook in self.after:
            changed = hook(self.module, (None,) * self.input_count, self.grad_output)
            if changed is not None and not (isinstance(changed, tuple) and all(one is None for one in changed)):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always return None or None "
                    "for all gradients."
                )
        self.grad_output = None


def _passed(values: tuple[Any, ...], seen: Callable[..., Any]) -> tuple[tuple[Any, ...], list[int]]:
    """The values with the tensors that need gradients passed through `_Passing`, and the positions of those."""
    positions = [at for at, value in enumerate(values) if isinstance(value, Tensor) and value.requires_grad]
    if not positions or not is_grad_enabled():
        return values, []
    passed = list(values)
    for position, tensor in zip(positions, _Passing.apply(seen, *(values[at] for at in positions)), strict=True):
        passed[position] = tensor
    rebuilt = values._make(passed) if hasattr(values, "_make") else tuple(passed)
    return rebuilt, positions


def _placed(gradients: Sequence[Any], positions: Sequence[int], count: int) -> tuple[Any, ...]:
    places: list[Any] = [None] * count
    for position, gradient in zip(positions, gradients, strict=True):
        places[position] = gradient
    return tuple(places)


def _as_many(changed: Any, count: int, hook: str) -> tuple[Any, ...]:
    several: tuple[Any, ...] = changed if isinstance(changed, tuple) else (changed,)
    if len(several) != count:
        raise RuntimeError(f"Backward {hook} returned an invalid number of grad_output, got {len(several)}, but expected {count}")
    return several


def _hook_everywhere(table: str, hook: Hook, **options: bool) -> RemovableHandle:
    Hooked._hooked = True
    return _add(everywhere[table], hook, options_everywhere, options, prepend=False)


def register_module_forward_pre_hook(hook: Hook) -> RemovableHandle:
    """As `Module.register_forward_pre_hook`, for every module."""
    return _hook_everywhere("_forward_pre_hooks", hook)


def register_module_forward_hook(
    hook: Hook, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """As `Module.register_forward_hook`, for every module."""
    return _hook_everywhere("_forward_hooks", hook, with_kwargs=with_kwargs, always_call=always_call)


def register_module_full_backward_pre_hook(hook: Hook) -> RemovableHandle:
    """As `Module.register_full_backward_pre_hook`, for every module."""
    return _hook_everywhere("_backward_pre_hooks", hook)


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """As `Module.register_full_backward_hook`, for every module."""
    return _hook_everywhere("_backward_hooks", hook)


def register_module_backward_hook(hook: Hook) -> RemovableHandle:
    """The older name of `register_module_full_backward_hook`."""
    return _hook_everywhere("_backward_hooks", hook)
