"""The state of a module as a dict of tensors by path: saving it, and loading it back strictly."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple, cast

from kadam.nn.modules.hooks import Hooked
from kadam.nn.modules.registration import BUFFER, MODULE, PARAMETER, members_of
from kadam.nn.parameter import Parameter, is_lazy
from kadam.recording.hooks import Handle
from kadam.recording.modes import no_grad
from kadam.tensor import Tensor

Hook = Callable[..., Any]
EXTRA_STATE = "_extra_state"


class IncompatibleKeys(NamedTuple):
    """What a loaded state and a module did not have in common, each key with its path."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Stateful(Hooked):
    """The part of `Module` that saves and loads its state."""

    _version: int = 1  # of the layout of a class's own state; a class that changes it reads older ones
    _state_dict_hooks: OrderedDict[int, Hook]
    _state_dict_pre_hooks: OrderedDict[int, Hook]
    _load_state_dict_pre_hooks: OrderedDict[int, Hook]
    _load_state_dict_post_hooks: OrderedDict[int, Hook]

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """Parameters and persistent buffers by path; the tensors share memory with the module's.

        Args:
            args: `destination`, `prefix` and `keep_vars` by position, an older way to call.
            destination: a dict to fill; a new one by default.
            prefix: put before every path.
            keep_vars: whether the parameters themselves are given, not detached.
        """
        if args:
            warnings.warn(
                "Positional args are being deprecated, use kwargs instead. Refer to "
                "https://pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module.state_dict for details.",
                FutureWarning,
                stacklevel=2,
            )
            given: list[Any] = [*args, *(destination, prefix, keep_vars)[len(args) :]]
            destination, prefix, keep_vars = given
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()  # the version of each module's layout, by path
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in members_of(vars(self), MODULE):
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            changed = hook(self, destination, prefix, local_metadata)
            if getattr(hook, "_from_public_api", False):
                if changed is not None:
                    raise RuntimeError("state_dict post-hook must return None. Fix: change the dictionary in place.")
            elif changed is not None:
                destination = changed
        return cast(dict[str, Any], destination)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Put this module's own state, without that of its submodules, into `destination`."""
        for name, tensor in self._own_state():
            destination[prefix + name] = tensor if keep_vars or is_lazy(tensor) else tensor.detach()
        if self._has_extra_state("get_extra_state"):
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def _own_state(self) -> Iterator[tuple[str, Tensor]]:
        for kind in (PARAMETER, BUFFER):
            for name, tensor in members_of(vars(self), kind):
                if tensor is not None and name not in self._non_persistent_buffers_set:
                    yield name, tensor

    def _has_extra_state(self, method: str) -> bool:
        return getattr(type(self), method) is not getattr(Stateful, method)

    def get_extra_state(self) -> Any:
        """What `state_dict` holds of this module beside tensors; define it together with `set_extra_state`."""
        raise RuntimeError(
            f"{type(self).__name__}: get_extra_state is called only on classes that define it. Fix: define "
            "get_extra_state(self)."
        )

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` gave."""
        raise RuntimeError(
            f"{type(self).__name__}: set_extra_state is called only on classes that define it. Fix: define "
            "set_extra_state(self, state)."
        )

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy a state into this module and all below it.

        Args:
            state_dict: tensors by path, as `state_dict` gives them.
            strict: whether the keys must be exactly those of this module.
            assign: whether the given tensors become the module's own, instead of being copied into them.

        Returns:
            The keys that were missing and those that were not expected.

        Raises:
            TypeError: `state_dict` is no mapping.
            RuntimeError: shapes differ, or with `strict` keys do; the message lists them all.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(
                f"{type(self).__name__}.load_state_dict: Expected state_dict to be dict-like, got {type(state_dict)}. "
                "Fix: torch.load a path first; model.state_dict() of a whole model."
            )
        loading = _Loading(state_dict, assign)
        loading.load(self, loading.state, "")
        errors = [*(loading.disagreements() if strict else ()), *loading.errors]
        if errors:
            lines = (f"Error(s) in loading state_dict for {type(self).__name__}:", *errors, f"Fix: {loading.fix()}")
            raise RuntimeError("\n\t".join(lines))
        return loading.incompatible

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load this module's own state, without that of its submodules; what does not fit goes into the lists.

        Args:
            state_dict: the whole state; this module's keys begin with `prefix`.
            prefix: the path of this module, with its last dot.
            local_metadata: what the state says of this module, such as its `version`.
            strict: whether `missing_keys` and `unexpected_keys` are wanted.
            missing_keys: gets the keys that the state should have had.
            unexpected_keys: gets those that this module does not have.
            error_msgs: gets a line for each tensor that could not be loaded.
        """
        for hook in self._load_state_dict_pre_hooks.values():
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        assign = bool(local_metadata.get("assign_to_params_buffers", False))
        own = dict(self._own_state())
        for name, tensor in own.items():
            key = prefix + name
            if key in state_dict:
                error_msgs.extend(self._load_tensor(name, key, tensor, state_dict[key], assign))
            elif strict:
                missing_keys.append(key)
        extra = prefix + EXTRA_STATE
        if self._has_extra_state("set_extra_state"):
            if extra in state_dict:
                self.set_extra_state(state_dict[extra])
            elif strict:
                missing_keys.append(extra)
        elif strict and extra in state_dict:
            unexpected_keys.append(extra)
        if strict:
            unexpected_keys.extend(self._unexpected(state_dict, prefix, own))

    def _unexpected(self, state_dict: dict[str, Any], prefix: str, own: dict[str, Tensor]) -> Iterator[str]:
        for key in state_dict:
            if not key.startswith(prefix) or key == prefix + EXTRA_STATE:
                continue
            name, dot, _ = key[len(prefix) :].partition(".")
            if name not in (self._modules if dot else own):
                yield key

    def _load_tensor(self, name: str, key: str, tensor: Tensor, given: Any, assign: bool) -> Iterator[str]:
        """Load one tensor; yields what went wrong."""
        if not isinstance(given, Tensor):
            yield (
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from '
                f"checkpoint but received {type(given)}"
            )
            return
        if is_lazy(tensor):
            return  # the given one is lazy too, or the module would have taken its shape
        if tensor.dim() == 0 and given.shape == (1,):
            given = given[0]  # files of PyTorch before 0.4 hold scalars as vectors
        if given.shape != tensor.shape:
            yield (
                f"size mismatch for {key}: copying a param with shape {given.shape} from checkpoint, "
                f"the shape in current model is {tensor.shape}."
            )
            return
        if tensor._meta and not given._meta and not assign:
            warnings.warn(
                f"for {key}: copying from a non-meta parameter in the checkpoint to a meta parameter in the current "
                "model, which is a no-op. (Did you mean to pass `assign=True` to assign items in the state dictionary "
                "to their corresponding key in the module instead of copying them in place?)",
                stacklevel=2,
            )
        try:
            with no_grad():
                self._take(name, tensor, given, assign)
        except Exception as failure:
            yield (
                f'While copying the parameter named "{key}", whose dimensions in the model are {tensor.size()} and '
                f"whose dimensions in the checkpoint are {given.size()}, an exception occurred : {failure.args}."
            )

    def _take(self, name: str, tensor: Tensor, given: Tensor, assign: bool) -> None:
        if not assign:
            tensor.copy_(given)
        elif isinstance(tensor, Parameter) and not isinstance(given, Parameter):
            setattr(self, name, Parameter(given, requires_grad=tensor.requires_grad))
        else:
            setattr(self, name, given.requires_grad_(tensor.requires_grad))

    def _register_state_dict_hook(self, hook: Hook) -> Handle:
        """Call `hook(module, state_dict, prefix, local_metadata)` after saving; it may return another dict."""
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was previously registered via "
                "register_state_dict_post_hook. Fix: register it once."
            )
        return _added(self._state_dict_hooks, hook)

    def register_state_dict_post_hook(self, hook: Hook) -> Handle:
        """Call `hook(module, state_dict, prefix, local_metadata)` after saving; it may change the dict in place."""
        hook._from_public_api = True  # type: ignore[attr-defined]
        return _added(self._state_dict_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Hook) -> Handle:
        """Call `hook(module, prefix, keep_vars)` before saving."""
        return _added(self._state_dict_pre_hooks, hook)

    def _register_load_state_dict_pre_hook(self, hook: Hook, with_module: bool = False) -> Handle:
        """Call `hook` with the arguments of `_load_from_state_dict`, first the module if wanted, before loading."""
        return _added(self._load_state_dict_pre_hooks, partial(hook, self) if with_module else hook)

    def register_load_state_dict_pre_hook(self, hook: Hook) -> Handle:
        """Call `hook(module, *arguments of _load_from_state_dict)` before loading."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def register_load_state_dict_post_hook(self, hook: Hook) -> Handle:
        """Call `hook(module, incompatible_keys)` after loading; it may change the keys in place."""
        return _added(self._load_state_dict_post_hooks, hook)


def _common_head(keys: list[str]) -> str:
    """The first part, with its dot, that all keys have; empty where they have none."""
    head = keys[0].partition(".")[0] + "." if keys else ""
    return head if all(key.startswith(head) for key in keys) else ""


def _added(table: OrderedDict[int, Hook], hook: Hook) -> Handle:
    handle = Handle(table)
    table[handle.id] = hook
    return handle


class _Loading:
    """One call of `load_state_dict`: what it reads and what it has found."""

    def __init__(self, state_dict: Mapping[str, Any], assign: bool) -> None:
        self.state = OrderedDict(state_dict)
        self.metadata = getattr(state_dict, "_metadata", None)
        if self.metadata is not None:
            self.state._metadata = self.metadata  # type: ignore[attr-defined]
        self.assign = assign
        self.missing: list[str] = []
        self.unexpected: list[str] = []
        self.errors: list[str] = []
        self.incompatible = IncompatibleKeys(self.missing, self.unexpected)

    def disagreements(self) -> Iterator[str]:
        for verdict, keys in (("Missing", self.missing), ("Unexpected", self.unexpected)):
            if keys:
                yield f"{verdict} key(s) in state_dict: " + ", ".join(f'"{key}"' for key in keys) + ". "

    def fix(self) -> str:
        """What to do about a state that does not fit."""
        for key in self.unexpected:
            if isinstance(self.state[key], Mapping):
                return f"the state stands inside: load_state_dict(checkpoint[{key!r}])."
        extra, lacking = _common_head(self.unexpected), _common_head(self.missing)
        if extra and {key.removeprefix(extra) for key in self.unexpected} <= set(self.missing):
            return f"rename the keys: {{key.removeprefix({extra!r}): value for key, value in state.items()}}."
        if lacking and {key.removeprefix(lacking) for key in self.missing} <= set(self.unexpected):
            return f"rename the keys: {{{lacking!r} + key: value for key, value in state.items()}}."
        if self.errors:
            return "build the model with the sizes that were saved, or leave those keys out and load with strict=False."
        return "strict=False loads the keys that both have; or build the model that was saved."

    def load(self, module: Any, state: dict[str, Any], prefix: str) -> None:
        local_metadata = {} if self.metadata is None else self.metadata.get(prefix[:-1], {})
        if self.assign:
            local_metadata["assign_to_params_buffers"] = True
        module._load_from_state_dict(state, prefix, local_metadata, True, self.missing, self.unexpected, self.errors)
        for name, child in members_of(vars(module), MODULE):
            if child is not None:
                below = f"{prefix}{name}."
                self.load(child, {key: value for key, value in state.items() if key.startswith(below)}, below)
        for hook in module._load_state_dict_post_hooks.values():
            if hook(module, self.incompatible) is not None:
                raise RuntimeError(
                    "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new "
                    "values, if incompatible_keys need to be modified, it should be done inplace. Fix: return None, "
                    "and change incompatible_keys in place."
                )
