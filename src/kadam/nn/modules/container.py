"""Modules in a row, in a list or in a dict."""

from __future__ import annotations

import itertools
import operator
from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Self, cast

from kadam.nn.modules.module import Module, indented
from kadam.nn.modules.registration import MODULE, members_of


class _Row(Module):
    """Submodules named `0`, `1`, ... and reached by number: what `Sequential` and `ModuleList` have in common."""

    def _all(self) -> list[Module]:
        return [module for _, module in members_of(vars(self), MODULE)]

    def _renumber(self, modules: Iterable[Module]) -> None:
        self._modules = {str(number): module for number, module in enumerate(modules)}

    def _name_at(self, index: int) -> str:
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(
                f"{type(self).__name__}: index {index} is out of range. Fix: an index from {-len(self)} to "
                f"{len(self) - 1}."
            )
        return list(self._modules)[index]

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._part(index)
        return self._modules[self._name_at(index)]

    def _part(self, index: slice) -> Module:
        return type(self)(self._all()[index])

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name_at(index), module)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)[index] if isinstance(index, slice) else [self._name_at(index)]
        for name in names:
            delattr(self, name)
        self._renumber(self._all())

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._all())

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def pop(self, key: int | slice) -> Module:
        """Take a module out and return it."""
        module: Module = self[key]
        del self[key]
        return module


class Sequential(_Row):
    """Feeds its input to the first module, the output of that to the second, and so on.

    Args:
        args: the modules, or one `OrderedDict` of modules by name.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = args[0].items() if len(args) == 1 and isinstance(args[0], OrderedDict) else enumerate(args)
        for name, module in named:
            self.add_module(name if isinstance(name, str) else str(name), module)

    def forward(self, input: Any) -> Any:
        attributes = self.__dict__
        for name, kind in attributes["_members"].items():
            if kind == MODULE:
                input = attributes[name](input)
        return input

    def _part(self, index: slice) -> Module:
        names = list(self._modules)[index]
        return type(self)(OrderedDict((name, self._modules[name]) for name in names))

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before the one at `index`.

        Raises:
            TypeError: it is no module.
            IndexError: `index` is out of range.
        """
        if not isinstance(module, Module):
            raise TypeError(
                f"Sequential.insert: module should be of type: {Module}. Fix: give an nn.Module; nn.ReLU() in place of "
                "torch.relu."
            )
        if not -len(self) <= index <= len(self):
            raise IndexError(
                f"Sequential.insert: Index out of range: {index}. Fix: an index from {-len(self)} to {len(self)}."
            )
        modules = self._all()
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def extend(self, sequential: Iterable[Module]) -> Self:
        """Add modules at the end."""
        for module in sequential:
            self.append(module)
        return self

    def __add__(self, other: Sequential) -> Sequential:
        return Sequential(*self, *_same(other, "add"))

    def __iadd__(self, other: Sequential) -> Self:
        return self.extend(list(_same(other, "add")))

    def __mul__(self, times: int) -> Sequential:
        return Sequential(*self._repeated(times))

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Self:
        return self.extend(self._repeated(times)[len(self) :])

    def _repeated(self, times: int) -> list[Module]:
        if not isinstance(times, int):
            raise TypeError(
                f"unsupported operand type(s) for *: {type(self)} and {type(times)}. Fix: multiply by an int."
            )
        if times <= 0:
            raise ValueError(
                f"Non-positive multiplication factor {times} for {type(self)}. Fix: multiply by at least 1."
            )
        return self._all() * times


def _same(other: object, verb: str) -> Sequential:
    if not isinstance(other, Sequential):
        raise ValueError(
            f"Sequential: {verb} operator supports only objects of Sequential class, but {type(other)} is given. Fix: "
            "nn.Sequential(module) around it, or append(module)."
        )
    return other


class ModuleList(_Row):
    """A list of modules that are registered; what calls them is up to the module that holds the list.

    Args:
        modules: the modules.
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def insert(self, index: int, module: Module) -> None:
        """Put a module before the one at `index`."""
        modules = self._all()
        modules.insert(index, module)
        self._renumber(modules)

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end.

        Raises:
            TypeError: `modules` cannot be iterated over.
        """
        if not isinstance(modules, Iterable):
            raise TypeError(
                f"ModuleList.extend should be called with an iterable, but got {type(modules).__name__}. Fix: put the "
                "module in a list, or append() it."
            )
        for module in list(modules):
            self.append(module)
        return self

    __iadd__ = extend

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList(itertools.chain(self, other))

    def __repr__(self) -> str:
        lines = []
        for shown, run in itertools.groupby(enumerate(self), key=lambda pair: repr(pair[1])):
            numbers = [number for number, _ in run]
            if len(numbers) == 1:
                lines.append(f"({numbers[0]}): {indented(shown)}")
            else:
                lines.append(f"({numbers[0]}-{numbers[-1]}): {len(numbers)} x {indented(shown)}")
        return f"{self._get_name()}(" + ("\n  " + "\n  ".join(lines) + "\n" if lines else "") + ")"


class ModuleDict(Module):
    """A dict of modules that are registered, in order of insertion.

    Args:
        modules: a mapping or pairs of name and module.
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module:
        return cast(Module, self._modules[key])

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Take all modules out."""
        self._modules.clear()

    def pop(self, key: str) -> Module:
        """Take a module out and return it."""
        module = self[key]
        del self[key]
        return module

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._modules.keys()

    def items(self) -> ItemsView[str, Module]:
        """Pairs of name and module."""
        return self._modules.items()

    def values(self) -> ValuesView[Module]:
        """The modules."""
        return self._modules.values()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace modules from a mapping or from pairs of name and module.

        Raises:
            TypeError: `modules` is neither.
            ValueError: a pair does not have two elements.
        """
        for key, module in named_pairs(modules, "ModuleDict", "ModuleDict"):
            self[key] = module


def named_pairs(source: Any, caller: str, container: str) -> list[tuple[str, Any]]:
    """The pairs of a mapping or of an iterable of pairs that is given to the `update` of a container.

    Raises:
        TypeError: it is neither.
        ValueError: a pair does not have two elements.
    """
    if not isinstance(source, Iterable):
        raise TypeError(
            f"{caller}.update should be called with an iterable of key/value pairs, but got {type(source).__name__}. "
            "Fix: give a dictionary, or pairs of a name and a module."
        )
    items = getattr(source, "items", None)
    if items is not None:
        return list(items())
    pairs = []
    for number, pair in enumerate(source):
        where = f"{container} update sequence element #{number}"
        if not isinstance(pair, Iterable):
            raise TypeError(
                f"{where} should be Iterable; is{type(pair).__name__}. Fix: give pairs of a name and a module."
            )
        several = list(pair)
        if len(several) != 2:
            raise ValueError(
                f"{where} has length {len(several)}; 2 is required. Fix: give pairs of a name and a module."
            )
        pairs.append((several[0], several[1]))
    return pairs
