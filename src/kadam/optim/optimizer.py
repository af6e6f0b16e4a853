"""The base of the optimizers: parameters in groups, what is remembered of each, and hooks around every step."""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from copy import deepcopy
from itertools import chain
from typing import Any, TypeAlias, TypeVar

from kadam.errors import MissingKeyError, OperandError
from kadam.hot import hot
from kadam.ir.graph import Phase
from kadam.optim.count import write_down
from kadam.optim.remembered import Memory, Remembered, remembering
from kadam.primitives.sources import Full
from kadam.recording.hooks import Handle
from kadam.recording.operation import State, emit, operation
from kadam.recording.refused import tell_constructor
from kadam.tensor import Tensor

ParamsT: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
StateDict: TypeAlias = dict[str, Any]
Hook: TypeAlias = Callable[..., Any]
Step = TypeVar("Step", bound=Callable[..., Any])

_MOMENTS = (
    "step_pre",
    "step_post",
    "state_dict_pre",
    "state_dict_post",
    "load_state_dict_pre",
    "load_state_dict_post",
)
_everyones_pre_hooks: OrderedDict[int, Hook] = OrderedDict()
_everyones_post_hooks: OrderedDict[int, Hook] = OrderedDict()


class _Required:
    """Stands as the default of an option that every group must set."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


class Optimizer:
    """Updates parameters from their gradients. Subclasses define `step`.

    Args:
        params: tensors, pairs of name and tensor, or groups: dicts with `params` and options of their own.
        defaults: the options of groups that do not set them.

    Attributes:
        param_groups: the groups, each a dict with its `params` and options.
        state: what is remembered of each parameter from step to step.
        defaults: as given.

    Raises:
        TypeError: `params` is a tensor, or holds something else than tensors.
        ValueError: there are no parameters, one is in two groups, or one is no leaf.
    """

    _scheduled = False  # whether a scheduler was made for this optimizer
    _opt_called = False  # whether step() was called since then

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "step" in vars(cls) and vars(cls)["step"] not in _hooked_steps:
            cls.step = _with_hooks(vars(cls)["step"])  # type: ignore[method-assign]
        tell_constructor(cls)

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._hooks: dict[str, OrderedDict[int, Hook]] = {moment: OrderedDict() for moment in _MOMENTS}
        if isinstance(params, Tensor):
            raise TypeError(
                f"{type(self).__name__}: params is a Tensor, but must be an iterable of them. Fix: put it in a list."
            )
        self.state: defaultdict[Any, Any] = Memory()
        self.param_groups: list[dict[str, Any]] = []
        if not isinstance(params, Iterable):
            raise OperandError(
                f"{type(self).__name__}: params must be an iterable of Tensors or dicts, but "
                f"{type(params).__name__} is not iterable. Fix: model.parameters(), or [x]."
            )
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError(
                f"{type(self).__name__}: optimizer got an empty parameter list. Fix: give model.parameters(); "
                "list(...) a generator that is read twice."
            )
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters once.

        Args:
            closure: computes the loss and its gradients anew; required by some algorithms.

        Returns:
            What the closure returned.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not define step(). Fix: define step(self, closure=None)."
        )

    @hot
    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with zeros if not `set_to_none`."""
        grads: list[Any] = []
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param._grad = None
                elif param._grad is not None:
                    grads.append(param._grad)
        if grads:
            _fill_with_zeros(grads)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group: a dict with `params` and whatever options differ from the defaults.

        Raises:
            TypeError: the group is no dict, its params are a set, or hold something else than tensors.
            ValueError: a parameter is no leaf or in another group already, some parameters have names and others do
                not, or a required option is missing.
        """
        if not isinstance(param_group, dict):
            raise TypeError(
                f"{self._here}: param_group must be a dict, not a {type(param_group).__name__}. Fix: "
                "dict(params=model.parameters(), lr=0.01)."
            )
        self._unpack(param_group)
        for param in param_group["params"]:
            self._check_parameter(param)
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    f"{self._here}: parameter group lacks the required option {name!r}. Fix: give {name}= in the group "
                    "or to the constructor."
                )
            param_group.setdefault(name, default)
        self._check_distinct(param_group)
        self.param_groups.append(param_group)

    @property
    def _here(self) -> str:
        return f"{type(self).__name__}.add_param_group"

    def _unpack(self, group: dict[str, Any]) -> None:
        """Make a list of `group["params"]`, with the names, if they have any, in `group["param_names"]`."""
        if "params" not in group:
            raise MissingKeyError(
                f"{self._here}: a parameter group must have the key 'params', this one has {sorted(group)}. Fix: "
                "dict(params=model.parameters(), lr=0.01)."
            )
        given = group["params"]
        if not isinstance(given, Iterable):
            raise OperandError(
                f"{self._here}: 'params' must be a Tensor or an iterable of them, but {type(given).__name__} is not "
                "iterable. Fix: model.parameters(), or [x]."
            )
        if isinstance(given, set):
            raise TypeError(f"{self._here}: params is a set, whose order differs from run to run. Fix: pass a list.")
        entries = [given] if isinstance(given, Tensor) else list(given)
        names = [entry[0] for entry in entries if isinstance(entry, tuple)]
        group["params"] = [entry[1] if isinstance(entry, tuple) else entry for entry in entries]
        if names:
            if len(names) != len(entries):
                raise ValueError(
                    f"{self._here}: {len(names)} of {len(entries)} params have names; name all or none. Fix: "
                    "model.named_parameters() names all."
                )
            group["param_names"] = names

    def _check_parameter(self, param: Any) -> None:
        if not isinstance(param, Tensor):
            raise TypeError(f"{self._here}: optimizer can only optimize Tensors, but one of the params is a "
f"{type(param).__name__}. Fix: give model.parameters().")  # fmt: skip
        if not (param.is_leaf or param.retains_grad):
            raise ValueError(
                f"{self._here}: can't optimize a non-leaf Tensor of shape {tuple(param.shape)}: it is computed from "
                "others. Fix: pass those, or a detached copy with requires_grad=True."
            )

    def _check_distinct(self, group: dict[str, Any]) -> None:
        params = set(group["params"])
        if len(params) != len(group["params"]):
            warnings.warn(
                f"{type(self).__name__}: a parameter group lists a parameter twice. Fix: list it once",
                UserWarning,
                stacklevel=3,
            )
        for other in self.param_groups:
            if ("param_names" in group) != ("param_names" in other):
                raise ValueError(
                    f"{self._here}: either all param groups have names for their params, or none. Fix: "
                    "model.named_parameters() for each group, or model.parameters() for each."
                )
            if not params.isdisjoint(other["params"]):
                raise ValueError(
                    f"{self._here}: some parameters appear in more than one parameter group. Fix: give each parameter "
                    "to one group."
                )

    def __getstate__(self) -> dict[str, Any]:
        write_down(self.state)
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def _patch_step_function(self) -> None:
        """Nothing: optimizers that wrap another one, and do not call `Optimizer.__init__`, call this in its place."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.state = remembering(self.state)
        if "_hooks" not in self.__dict__:
            self._hooks = {moment: OrderedDict() for moment in _MOMENTS}

    def __repr__(self) -> str:
        text = f"{type(self).__name__} ("
        for index, group in enumerate(self.param_groups):
            options = "".join(f"    {key}: {group[key]}\n" for key in sorted(group) if key != "params")
            text += f"\nParameter Group {index}\n{options}"
        return text + ")"

    def state_dict(self) -> StateDict:
        """State and options of all parameters, which are numbered in the order of the groups."""
        for hook in self._hooks["state_dict_pre"].values():
            hook(self)
        write_down(self.state)
        numbers: dict[int, int] = {}
        for number, param in enumerate(chain.from_iterable(group["params"] for group in self.param_groups)):
            numbers.setdefault(id(param), number)
        groups = [
            {**{key: value for key, value in group.items() if key != "params"},
             "params": [numbers[id(param)] for param in group["params"]]}
            for group in self.param_groups
        ]  # fmt: skip
        state = {
            numbers[id(key)] if isinstance(key, Tensor) else key: dict(value)
            if isinstance(value, Remembered)
            else value
            for key, value in self.state.items()
        }
        return self._amended("state_dict_post", {"state": state, "param_groups": groups})

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Take up what `state_dict()` of such an optimizer returned; its parameters are matched by their order.

        Raises:
            ValueError: the groups, or the numbers of parameters in them, differ.
        """
        self._check_state(state_dict)
        state_dict = self._amended("load_state_dict_pre", state_dict.copy())
        saved_groups = deepcopy(state_dict["param_groups"])
        params = self._matched(saved_groups)
        state: dict[Any, Any] = {}
        for key, value in state_dict["state"].items():
            if key in params:
                state[params[key]] = _suited(value, params[key])
            else:
                state[key] = value
        for group, saved in zip(self.param_groups, saved_groups, strict=True):
            saved["params"] = group["params"]
            if "param_names" in group:
                saved.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved_groups})
        for hook in self._hooks["load_state_dict_post"].values():
            hook(self)

    def _check_state(self, state_dict: Any) -> None:
        here = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state_dict, dict):
            raise OperandError(
                f"{here}: expected a dict, not {type(state_dict).__name__}. Fix: what optimizer.state_dict() returned."
            )
        for key in ("param_groups", "state"):
            if key not in state_dict:
                raise MissingKeyError(
                    f"{here}: the state has no {key!r}, only {sorted(map(str, state_dict))[:8]}. Fix: what "
                    "optimizer.state_dict() returned; a checkpoint often holds it under a key: checkpoint['optimizer']."
                )

    def _matched(self, saved_groups: list[dict[str, Any]]) -> dict[Any, Tensor]:
        """The parameter of each number in a saved state."""
        if len(self.param_groups) != len(saved_groups):
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: the state has {len(saved_groups)} parameter groups, the "
                f"optimizer {len(self.param_groups)}. Fix: make the optimizer with the parameter groups that were "
                "saved."
            )
        params: dict[Any, Tensor] = {}
        for index, (group, saved) in enumerate(zip(self.param_groups, saved_groups, strict=True)):
            if len(group["params"]) != len(saved["params"]):
                raise ValueError(
                    f"{type(self).__name__}.load_state_dict: group {index} has {len(saved['params'])} parameters in "
                    f"the state, {len(group['params'])} in the optimizer. Fix: make the optimizer for the model that "
                    "was saved, with its parameters in the same order."
                )
            params.update(zip(saved["params"], group["params"], strict=True))
        return params

    def _amended(self, moment: str, state_dict: StateDict) -> StateDict:
        for hook in self._hooks[moment].values():
            amended = hook(self, state_dict)
            if amended is not None:
                state_dict = amended
        return state_dict

    def _register(self, moment: str, hook: Hook, prepend: bool = False) -> Handle:
        return _add(self._hooks[moment], hook, prepend)

    def register_step_pre_hook(self, hook: Hook) -> Handle:
        """Call `hook(optimizer, args, kwargs)` before each step; it may return new args and kwargs."""
        return self._register("step_pre", hook)

    def register_step_post_hook(self, hook: Hook) -> Handle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return self._register("step_post", hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> Handle:
        """Call `hook(optimizer)` before `state_dict()`."""
        return self._register("state_dict_pre", hook, prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> Handle:
        """Call `hook(optimizer, state_dict)` after `state_dict()`; it may return another one."""
        return self._register("state_dict_post", hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> Handle:
        """Call `hook(optimizer, state_dict)` before `load_state_dict()`; it may return another state to load."""
        return self._register("load_state_dict_pre", hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> Handle:
        """Call `hook(optimizer)` after `load_state_dict()`."""
        return self._register("load_state_dict_post", hook, prepend)


def register_optimizer_step_pre_hook(hook: Hook) -> Handle:
    """Call `hook(optimizer, args, kwargs)` before each step of any optimizer."""
    return _add(_everyones_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Hook) -> Handle:
    """Call `hook(optimizer, args, kwargs)` after each step of any optimizer."""
    return _add(_everyones_post_hooks, hook)


def _add(hooks: OrderedDict[int, Hook], hook: Hook, prepend: bool = False) -> Handle:
    handle = Handle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """`step` between its hooks; noted, for schedulers want to know whether it was called."""

    @functools.wraps(step)
    def hooked_step(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if type(self).step is not hooked_step or "_hooks" not in self.__dict__:
            return step(self, *args, **kwargs)  # a subclass's step, which has the hooks, calls this one, or a wrapper's
        if begin_step(self):
            return step_amid_hooks(step, self, args, kwargs)
        return step(self, *args, **kwargs) if args or kwargs else step(self)

    hooked_step.hooked = True  # type: ignore[attr-defined]
    return hooked_step


# That call their hooks themselves. The attribute does not tell: `functools.wraps` copies it to what is wrapped around.
_hooked_steps: set[Callable[..., Any]] = set()


def calls_its_hooks(step: Step) -> Step:
    """Mark a `step` that asks `begin_step` itself, for it is compiled."""
    _hooked_steps.add(step)
    step.hooked = True  # type: ignore[attr-defined]
    return step


@hot
def begin_step(optimizer: Optimizer) -> bool:
    """Note that an optimizer steps; whether there are hooks to call."""
    optimizer._opt_called = True
    hooks = optimizer._hooks
    return bool(hooks["step_pre"] or hooks["step_post"] or _everyones_pre_hooks or _everyones_post_hooks)


def step_amid_hooks(step: Callable[..., Any], self: Optimizer, rest: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    args: tuple[Any, ...] = (self, *rest)
    for hook in (*_everyones_pre_hooks.values(), *self._hooks["step_pre"].values()):
        replaced = hook(self, args, kwargs)
        if replaced is None:
            continue
        if not (isinstance(replaced, tuple) and len(replaced) == 2):
            raise RuntimeError(
                f"{type(self).__name__}.step: a pre hook must return None or (args, kwargs), not {replaced!r}. "
                "Fix: return None."
            )
        args, kwargs = replaced
    result = step(*args, **kwargs)
    for hook in (*self._hooks["step_post"].values(), *_everyones_post_hooks.values()):
        hook(self, args, kwargs)
    return result


def _fill_with_zeros(grads: Sequence[Tensor]) -> None:
    dense = []
    for grad in grads:
        if not isinstance(grad, Tensor):
            grad.zero_()
            continue
        if grad._spec.requires_grad:
            grad.detach_()
            grad.requires_grad_(False)
        dense.append(grad)
    if dense:
        zero_each(dense)


@operation(differentiable=False, phase=Phase.UPDATE)
def zero_each(grads: Sequence[State]) -> list[Tensor]:
    """Zeros."""
    return [emit(Full(0, grad._spec.type.shape, grad.dtype)) for grad in grads]


def _suited(value: Any, param: Tensor, key: Hashable = None) -> Any:
    """A saved value as the state of `param`: floating-point numbers in its type, but for the count of steps."""
    if isinstance(value, Tensor):
        return value.to(dtype=param.dtype) if param.is_floating_point() and key != "step" else value
    if isinstance(value, Mapping):
        return {name: _suited(each, param, name) for name, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return type(value)(_suited(each, param) for each in value)  # type: ignore[call-arg]
    return value
