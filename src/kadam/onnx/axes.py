"""Axes of any size: the model is recorded with several sizes, and each number that changes becomes a computed one.

With b the size at which the first recording is made, a number that sizes decide is a polynomial of (size - b), linear
in each size: a size itself, a size times a constant, or a product of sizes. Recordings at b and b + 1 give its
coefficients, others say whether they hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from math import prod
from typing import Any

import numpy as np

from kadam.errors import UnsupportedError
from kadam.func.tree import mapped
from kadam.onnx import model
from kadam.onnx.draft import Draft
from kadam.recording.tensor import from_array, read

Chosen = frozenset[str]
Coefficients = dict[Chosen, np.ndarray[Any, np.dtype[np.int64]]]
_LARGE = 6  # a size from which on the recordings are made with smaller ones: a model may not take larger ones
_OPERATIONS, _CONSTANT = "other operations run", "a constant changes"
_NUMBER = "a number is no polynomial of the sizes and changes"
_MOST = 3  # sizes that may vary: each doubles the recordings


@dataclass(frozen=True)
class Size:
    """A size that may vary.

    Attributes:
        name: in the file.
        least: the size of the first recording.
        checked: by how much larger it is where the numbers are looked at again.
        places: the inputs and their axes that have it.
    """

    name: str
    least: int
    checked: tuple[int, int]
    places: tuple[tuple[int, int], ...]


def of_any_size(
    draft: Callable[[Sequence[Any], dict[str, Any]], Draft],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    dynamic_axes: Mapping[str, Any],
) -> bytes:
    """A file for inputs some of whose sizes may vary.

    Raises:
        UnsupportedError: more than numbers changes with a size, or too many sizes may vary.
    """
    axes = {name: _named(name, given) for name, given in dynamic_axes.items()}
    sizes = _sizes(axes, draft(args, kwargs))

    def at(more: Mapping[str, int]) -> Draft:
        return draft(*_resized(args, kwargs, sizes, more))

    subsets = [frozenset(one) for one in _subsets([size.name for size in sizes])]
    drafts = {chosen: at(dict.fromkeys(chosen, 1)) for chosen in subsets}
    first = drafts[frozenset()]
    for other in drafts.values():
        _require_same(first, other)
    found = {
        name: _coefficients({chosen: one.writer.counts[name] for chosen, one in drafts.items()})
        for name in first.writer.counts
    }
    for check in range(2):
        more = {size.name: size.checked[check] for size in sizes}
        _require_found(found, more, first, at(more))
    found = {name: one for name, one in found.items() if any(one)}
    computed = [*_measured(sizes, first), *chain.from_iterable(_computed(name, one) for name, one in found.items())]
    return first.content(computed, frozenset(found), {**axes, **_of_outputs(axes, sizes, drafts)})


def _named(owner: str, given: Any) -> dict[int, str]:
    if isinstance(given, Mapping):
        return {int(axis): str(name) for axis, name in given.items()}
    return {int(axis): f"{owner}_dynamic_axes_{place}" for place, axis in enumerate(given, 1)}


def _sizes(axes: Mapping[str, Mapping[int, str]], example: Draft) -> list[Size]:
    places: dict[str, list[tuple[int, int]]] = {}
    given: dict[str, int] = {}
    for place, (name, type) in enumerate(example.inputs):
        for axis, size in axes.get(name, {}).items():
            places.setdefault(size, []).append((place, axis % type.rank))
            given[size] = max(given.get(size, 2), type.shape[axis])
    if len(places) > _MOST:
        raise UnsupportedError(
            f"onnx.export: {len(places)} sizes may vary: {', '.join(places)}; at most {_MOST} are supported. Fix: give "
            "sizes that are always equal one name."
        )
    return [Size(name, *_recorded(given[name]), tuple(where)) for name, where in places.items()]


def _recorded(given: int) -> tuple[int, tuple[int, int]]:
    """The size of the first recording, and how much larger those are at which the numbers are looked at again."""
    if given < _LARGE:
        return given, (2, 5)
    least = given // 2
    return least, (given - least - 1, given - least)


def _resized(
    args: Sequence[Any], kwargs: dict[str, Any], sizes: Sequence[Size], more: Mapping[str, int]
) -> tuple[Sequence[Any], dict[str, Any]]:
    """The inputs with other sizes; their elements come again."""
    wanted = {where: size.least + more.get(size.name, 0) for size in sizes for where in size.places}
    place = -1

    def resized(leaf: Any) -> Any:
        nonlocal place
        if not hasattr(leaf, "_spec"):
            return leaf
        place += 1
        array = read(leaf)
        for (owner, axis), size in wanted.items():
            if owner == place:
                array = array.take(np.arange(size) % array.shape[axis], axis)
        return from_array(array)

    values, named = mapped(resized, (list(args), kwargs))
    return values, named


def _subsets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return chain.from_iterable(combinations(names, count) for count in range(len(names) + 1))


def _require_same(first: Draft, other: Draft) -> None:
    if first.writer.nodes != other.writer.nodes or first.writer.counts.keys() != other.writer.counts.keys():
        raise _varies(_OPERATIONS)
    if first.writer.constants != other.writer.constants:
        raise _varies(_CONSTANT)


def _require_found(found: Mapping[str, Coefficients], more: Mapping[str, int], first: Draft, other: Draft) -> None:
    """Raise unless the polynomials hold where all sizes are larger."""
    _require_same(first, other)
    for name, numbers in other.writer.counts.items():
        terms = [prod(more[size] for size in chosen) * one for chosen, one in found[name].items()]
        if np.sum(terms, axis=0).tolist() != numbers:
            raise _varies(_NUMBER)


def _varies(how: str) -> UnsupportedError:
    return UnsupportedError(
        f"onnx.export: {how} with a size that dynamic_axes lets vary. Fix: leave that axis out of dynamic_axes (the "
        "time of a recurrent layer is unrolled, for example), or write the model without numbers made from sizes."
    )


def _coefficients(numbers: Mapping[Chosen, Sequence[int]]) -> Coefficients:
    """Of each product of (size - b): from the numbers with each choice of sizes one larger."""
    found: Coefficients = {}
    for chosen in sorted(numbers, key=len):
        rest = np.array(numbers[chosen], np.int64)
        for smaller, known in found.items():
            if smaller < chosen:
                rest = rest - known
        found[chosen] = rest
    return {chosen: one for chosen, one in found.items() if not chosen or one.any()}


def _measured(sizes: Sequence[Size], draft: Draft) -> Iterator[bytes]:
    """Nodes for each size - b."""
    for size in sizes:
        place, axis = size.places[0]
        base = draft.writer.constant(np.array([size.least], np.int64))
        whole, more = f"size_of_{size.name}", f"more_of_{size.name}"
        span = {"start": axis, "end": axis + 1}
        yield model.node("Shape", [draft.inputs[place][0]], [whole], f"node_{whole}", span)
        yield model.node("Sub", [whole, base], [more], f"node_{more}", {})


def _computed(name: str, found: Coefficients) -> Iterator[bytes]:
    """Nodes for the polynomial of numbers, whose result has the given name."""
    terms: list[str] = []
    for place, (chosen, numbers) in enumerate(found.items()):
        term = f"{name}_term_{place}"
        value = {"value": model.tensor(term, numbers)}
        yield model.node("Constant", [], [term], f"node_{term}", value)
        for size in sorted(chosen):
            product = f"{term}_{size}"
            yield model.node("Mul", [term, f"more_of_{size}"], [product], f"node_{product}", {})
            term = product
        terms.append(term)
    total, rest = terms[0], terms[1:]
    for place, term in enumerate(rest, 1):
        whole = name if place == len(rest) else f"{name}_sum_{place}"
        yield model.node("Add", [total, term], [whole], f"node_{whole}", {})
        total = whole


def _of_outputs(
    axes: Mapping[str, Mapping[int, str]], sizes: Sequence[Size], drafts: Mapping[Chosen, Draft]
) -> dict[str, dict[int, str]]:
    """Names for the axes of results that change with a size: the user's, the size's own, or one of their own."""
    found: dict[str, dict[int, str]] = {}
    for place, (name, type) in enumerate(drafts[frozenset()].outputs):
        shapes = {key: one.outputs[place][1].shape for key, one in drafts.items()}
        given = dict(axes.get(name, {}))
        for axis in range(type.rank):
            changing = [size for size in sizes if shapes[frozenset({size.name})][axis] != type.shape[axis]]
            if changing and axis not in given:
                equal = len(changing) == 1 and changing[0].least == type.shape[axis]
                given[axis] = changing[0].name if equal else f"{name}_size_{axis}"
        found[name] = {axis % type.rank: size for axis, size in given.items()}
    return found


__all__ = ["of_any_size"]
