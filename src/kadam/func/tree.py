"""Nests of tuples, lists and dictionaries with tensors in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kadam.recording.tensor import Recorded


def leaves(tree: Any) -> Iterator[Any]:
    """What stands in the nest, in order."""
    if isinstance(tree, dict):
        for value in tree.values():
            yield from leaves(value)
    elif isinstance(tree, tuple | list):
        for value in tree:
            yield from leaves(value)
    else:
        yield tree


def tensors(tree: Any) -> list[Any]:
    """The tensors in the nest, in order."""
    return [leaf for leaf in leaves(tree) if isinstance(leaf, Recorded)]


def mapped(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """The nest with `function` applied to what stands in it, and in nests of the same form."""
    if isinstance(tree, dict):
        parts = {name: mapped(function, value, *[other[name] for other in others]) for name, value in tree.items()}
        return type(tree)(parts)
    if isinstance(tree, tuple | list):
        values = [mapped(function, *nested) for nested in zip(tree, *others, strict=True)]
        return _rebuilt(tree, values)
    return function(tree, *others)


def _rebuilt(tree: Sequence[Any], values: list[Any]) -> Any:
    return type(tree)(*values) if hasattr(tree, "_fields") else type(tree)(values)  # type: ignore[call-arg]


def with_tensors(tree: Any, found: Sequence[Any]) -> Any:
    """The nest with its tensors replaced, in order."""
    rest = iter(found)
    return mapped(lambda leaf: next(rest) if isinstance(leaf, Recorded) else leaf, tree)


def prefixed(tree: Any, prefix: Any) -> Any:
    """A nest of the form of `tree` in which each part of `prefix` stands for all that is below it."""
    if isinstance(tree, dict):
        whole = isinstance(prefix, dict)
        return {name: prefixed(value, prefix[name] if whole else prefix) for name, value in tree.items()}
    if isinstance(tree, tuple | list):
        several = list(prefix) if isinstance(prefix, tuple | list) else [prefix] * len(tree)
        return _rebuilt(tree, [prefixed(value, part) for value, part in zip(tree, several, strict=True)])
    return prefix
