"""Modules called with given parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from kadam.ops.combine import stack

if TYPE_CHECKING:
    from kadam.nn import Module
    from kadam.tensor import Tensor

Function = TypeVar("Function")


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with other tensors in place of its parameters and buffers. As `torch.func.functional_call`.

    Args:
        module: is left as it was.
        parameter_and_buffer_dicts: name, such as `encoder.weight`, -> tensor; one dictionary or several.
        args: of the call: a tuple, or the only one.
        kwargs: of the call.
        tie_weights: a tensor that the module has under several names is replaced under all of them.
        strict: the names must be exactly the module's.

    Raises:
        ValueError: a name is given twice, or tied names two values.
        RuntimeError: the module lacks a name, or (with `strict`) a name is missing.
    """
    given: dict[str, Any] = {}
    one = isinstance(parameter_and_buffer_dicts, Mapping)
    for part in [parameter_and_buffer_dicts] if one else parameter_and_buffer_dicts:
        repeated = given.keys() & part.keys()  # type: ignore[union-attr]
        if repeated:
            raise ValueError(
                f"functional_call: {sorted(repeated)} appeared in multiple dictionaries; behavior of functional call "
                "is ambiguous. Fix: give each name in one dictionary only."
            )
        given.update(part)  # type: ignore[arg-type]
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    with _replaced(module, given, tie_weights, strict):
        return module(*arguments, **(kwargs or {}))


@contextmanager
def _replaced(module: Module, given: dict[str, Any], tie_weights: bool, strict: bool) -> Iterator[None]:
    own = _own_tensors(module)
    unknown, missing = [name for name in given if name not in own], [name for name in own if name not in given]
    if unknown or (strict and missing):
        raise RuntimeError(
            f"functional_call: Error(s) in loading: unexpected keys {unknown}, missing keys "
            f"{missing if strict else []}. Fix: give the names of dict(module.named_parameters()), or strict=False."
        )
    wanted = dict(given)
    if tie_weights:
        _refuse_two_values(own, given)
        by_tensor = {id(own[name][0][own[name][1]]): tensor for name, tensor in given.items()}
        wanted.update({name: by_tensor[id(at[key])] for name, (at, key) in own.items() if id(at[key]) in by_tensor})
        wanted.update(given)
    before = {name: own[name][0][own[name][1]] for name in wanted}
    try:
        for name, tensor in wanted.items():
            attributes, key = own[name]
            attributes[key] = tensor
        yield
    finally:
        for name, tensor in before.items():
            attributes, key = own[name]
            attributes[key] = tensor


def _refuse_two_values(own: dict[str, tuple[dict[str, Any], str]], given: dict[str, Any]) -> None:
    """A tensor that the module has under several names has one value."""
    first: dict[int, str] = {}
    for name, tensor in given.items():
        attributes, key = own[name]
        other = first.setdefault(id(attributes[key]), name)
        if given[other] is not tensor:
            raise ValueError(
                f"functional_call: {other!r} and {name!r} are tied, and two values are given for them. Fix: give one "
                "of them, or tie_weights=False."
            )


def _own_tensors(module: Module) -> dict[str, tuple[dict[str, Any], str]]:
    """The parameters and buffers by full name: the `__dict__` in which each stands, and its name there."""
    found = {}
    for prefix, part in module.named_modules(remove_duplicate=False):
        attributes = vars(part)
        for name in (*part._parameters, *part._buffers):
            if attributes[name] is not None:
                found[f"{prefix}.{name}" if prefix else name] = (attributes, name)
    return found


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and the buffers of modules of one kind, stacked. As `torch.func.stack_module_state`."""
    parameters = {
        name: stack([dict(one.named_parameters())[name] for one in models]).detach().requires_grad_()
        for name, _ in models[0].named_parameters()
    }
    buffers = {
        name: stack([dict(one.named_buffers())[name] for one in models]) for name, _ in models[0].named_buffers()
    }
    return parameters, buffers


def replace_all_batch_norm_modules_(root: Module) -> Module:
    """The module itself, with batch normalisations that keep no running statistics. As PyTorch's."""
    from kadam.nn.modules.batchnorm import _BatchNorm

    for part in root.modules():
        if isinstance(part, _BatchNorm):
            part.running_mean = part.running_var = part.num_batches_tracked = None
            part.track_running_stats = False
    return root


def functionalize(func: Function, *, remove: str = "mutations") -> Function:
    """The function itself: changes in place are values in Kadam's graphs anyway. As `torch.func.functionalize`."""
    return func
