"""Reading a pickle without running anything that it asks for.

A pickle is a small program: it names functions and calls them. Here it may name only what stands in the vocabulary, or
what the user has allowed by `add_safe_globals`, and each instruction that could act on another object is checked.
"""

from __future__ import annotations

import _compat_pickle
import io
import pickle
import pickletools
import struct
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from kadam.errors import KadamError, UnsupportedError
from kadam.serialization import arrays, programs
from kadam.serialization.allowlist import allowed_by_user
from kadam.serialization.files import CheckpointError, FileError
from kadam.serialization.plain import KINDS, OBJECTS, PLAIN, dictionary
from kadam.serialization.storage import Storage, StorageType
from kadam.serialization.vocabulary import PYTHON, TORCH

LoadStorage = Callable[[StorageType, str, str, int], Storage]

# What is named only as a value, and what each instruction fills.
_VALUES = KINDS | OBJECTS | programs.DATASETS
_NEVER_CALLED = {id(known) for known in (*_VALUES.values(), arrays.ARRAY, programs.FUNCTIONS)} - {id(dict)}
_FILLED: dict[type, tuple[type, ...]] = {
    list: (list, deque), set: (set,), dict: (dict, OrderedDict, Counter, defaultdict)
}  # fmt: skip

# Nothing in these modules may be named, not even with the user's permission.
BLOCKED_MODULES = ("sys", "os", "posix", "nt")

# What broken or hostile instructions raise: a missing operand, an unknown memo entry, arguments that do not fit.
_DAMAGE = (
    pickle.UnpicklingError, EOFError, struct.error, IndexError, KeyError, TypeError, ValueError, AttributeError,
    OverflowError, MemoryError,
)  # fmt: skip

# Instructions that only push, drop or remember plain values.
_HARMLESS = (
    "PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK",
    "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT",
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "SHORT_BINSTRING", "BINSTRING",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
    "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET", "FROZENSET",
    "BINGET", "LONG_BINGET", "BINPUT", "LONG_BINPUT", "MEMOIZE",
    "GLOBAL", "STACK_GLOBAL", "BINPERSID",
)  # fmt: skip


def unpickled(
    pickled: bytes, load_storage: LoadStorage, source: str, encoding: str = "utf-8", has_modules: bool = False
) -> object:
    """The object that a checkpoint's pickle describes.

    Args:
        pickled: the pickle.
        load_storage: finds a storage by its type, key, place and number of elements.
        source: how messages call the file.
        encoding: of the byte strings that Python 2 wrote.
        has_modules: let it name classes of modules, the program's own classes and functions, plain data of Python's
            and NumPy's arrays.

    Raises:
        CheckpointError: the pickle is broken, or names what is not allowed; a pickle.UnpicklingError.
    """
    try:
        return _Unpickler(pickled, load_storage, source, encoding, has_modules).load()
    except (CheckpointError, FileError, UnsupportedError):
        raise
    except (KadamError, *_DAMAGE) as error:
        raise CheckpointError(
            f"load: the pickle in {source} cannot be carried out: {type(error).__name__}: {error}. Fix: save a "
            "state_dict with torch.save."
        ) from None


def globals_named(pickled: bytes, source: str) -> set[str]:
    """The full names of all functions and classes that a pickle of `torch.save` asks for."""
    try:
        instructions = [(code.name, str(argument)) for code, argument, _ in pickletools.genops(pickled)]
    except ValueError as error:
        raise CheckpointError(
            f"load: the pickle in {source} cannot be read: {error}. Fix: copy it again, or save it again with "
            "torch.save."
        ) from None
    if any(name == "STACK_GLOBAL" for name, _ in instructions):
        raise UnsupportedError(
            f"get_unsafe_globals_in_checkpoint: {source} has a pickle protocol above 3. Fix: save it again with "
            "torch.save."
        )
    return {_full_name(*argument.split(" ", 1)) for name, argument in instructions if name == "GLOBAL"}


def _full_name(module: str, name: str) -> str:
    """What Python 3 calls a global that an old pickle protocol names as in Python 2."""
    module, name = _compat_pickle.NAME_MAPPING.get((module, name), (module, name))
    return f"{_compat_pickle.IMPORT_MAPPING.get(module, module)}.{name}"


class _Instructions(dict[int, Callable[[Any], None]]):
    """What each pickle instruction does; any other is refused."""

    def __missing__(self, code: int) -> Callable[[Any], None]:
        raise CheckpointError(
            f"load: the pickle holds the instruction {bytes([code])!r}, which a checkpoint may not. Fix: save a "
            "state_dict with torch.save."
        )


class _Unpickler(pickle._Unpickler):
    # The pure-Python unpickler, because the compiled one cannot be kept from single instructions.
    stack: list[Any]
    pop_mark: Callable[[], list[Any]]

    def __init__(
        self, pickled: bytes, load_storage: LoadStorage, source: str, encoding: str, has_modules: bool
    ) -> None:
        super().__init__(io.BytesIO(pickled), encoding=encoding)
        self._load_storage = load_storage
        self._source = source
        self._has_modules = has_modules
        by_user = {name: arrays.checked(known) for name, known in allowed_by_user().items()}
        beside = PLAIN | arrays.NUMPY | _VALUES | programs.LOOKUPS if has_modules else {}
        self._allowed = beside | by_user | PYTHON | TORCH
        self._by_user = {id(known) for known in by_user.values()}
        self._callables = ({id(known) for known in self._allowed.values()} - _NEVER_CALLED) | self._by_user
        self._user_classes = {id(known) for known in by_user.values() if isinstance(known, type)}

    def find_class(self, module: str, name: str) -> Any:
        full_name = _full_name(module, name)
        if module in BLOCKED_MODULES:
            raise CheckpointError(
                f"load: {self._source} names {full_name}; a file may name nothing in that module. Fix: save a "
                "state_dict instead."
            )
        if full_name not in self._allowed:
            known = programs.found(module, name)
            if known is not None and (self._has_modules or id(known) in self._callables):  # allowed by another name
                return known
        if full_name not in self._allowed and module.split(".")[0] == "torch":
            raise CheckpointError(
                f"load: {self._source} holds PyTorch's {full_name}, which Kadam does not read: of PyTorch's objects it "
                "reads plain tensors, parameters, sizes, types and devices, and whole modules with weights_only=False. "
                "Fix: save a state_dict instead."
            )
        if full_name not in self._allowed:
            raise CheckpointError(
                f"load: Weights only load failed: {self._source} names the global {full_name}, which was not an "
                "allowed global by default. A file cannot run code here, so only what is allowed is called. Fix: if "
                f"you trust it with any arguments, torch.serialization.add_safe_globals([{name}]); for a whole module, "
                "weights_only=False; or save a state_dict instead."
            )
        return self._allowed[full_name]

    def persistent_load(self, pid: Any) -> Storage:
        match pid:
            case ("storage", StorageType() as kind, str(key), str(place), int(count)) if count >= 0:
                return self._load_storage(kind, key, place, count)
        raise CheckpointError(
            f"load: {self._source} refers to {pid!r}, which is not a storage. Fix: copy it again, or save it again."
        )

    def _reduce(self) -> None:
        arguments, function = self._arguments(), self.stack.pop()
        member = programs.member_of(function, arguments) if self._has_modules else None
        if member is not None:
            self.stack.append(member)
            return
        if id(function) not in self._callables:
            raise CheckpointError(
                f"load: {self._source} calls {function!r}, which it has made itself. Fix: save a state_dict instead."
            )
        if id(function) not in self._by_user and any(self._is_of_program(one) for one in arguments):
            raise CheckpointError(
                f"load: {self._source} calls {function!r} with an object of the program, whose methods it would call. "
                "Fix: save a state_dict instead."
            )
        self.stack.append((dictionary if function is dict else function)(*arguments))

    def _arguments(self) -> tuple[Any, ...]:
        arguments = self.stack.pop()
        if type(arguments) is not tuple:
            raise CheckpointError(
                f"load: {self._source} gives a {type(arguments).__name__} as arguments. Fix: save a state_dict instead."
            )
        return arguments

    def _is_of_program(self, value: Any) -> bool:
        return self._has_modules and programs.is_class(type(value))

    def _new(self) -> None:
        arguments, made = self._arguments(), self.stack.pop()
        if id(self._class_of_user(made)) in self._user_classes:
            self.stack.append(made.__new__(made, *arguments))
        elif issubclass(made, tuple):
            self.stack.append(tuple.__new__(made, arguments))
        else:
            base: Any = next((kind for kind in _FILLED if issubclass(made, kind)), object)
            self.stack.append(base.__new__(made))

    def _new_with_keywords(self) -> None:
        keywords, arguments, made = self.stack.pop(), self._arguments(), self.stack.pop()
        if id(made) not in self._user_classes:
            raise CheckpointError(
                f"load: {self._source} gives keywords to {made!r}, which is not an allowed class. Fix: save a "
                "state_dict instead."
            )
        self.stack.append(made.__new__(made, *arguments, **keywords))

    def _class_of_user(self, made: Any) -> Any:
        if id(made) not in self._user_classes and not (self._has_modules and programs.is_class(made)):
            raise CheckpointError(
                f"load: {self._source} makes an object of {made!r}, which is not an allowed class. Fix: save a "
                "state_dict instead."
            )
        return made

    def _build(self) -> None:
        """Give the newest object its attributes."""
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is OrderedDict:
            vars(target).update(state)
            return
        if isinstance(target, np.ndarray | np.dtype):
            arrays.fill(target, state) if isinstance(target, np.ndarray) else arrays.set_order(target, state)
            return
        if type(target) is SimpleNamespace and self._has_modules:
            programs.give_state(target, state)
            return
        self._class_of_user(type(target))
        if id(type(target)) not in self._user_classes:
            programs.give_state(target, state)
            return
        if hasattr(target, "__setstate__"):
            target.__setstate__(state)
            return
        attributes, slots = state if isinstance(state, tuple) else (state, None)
        vars(target).update(attributes or {})
        for name, value in (slots or {}).items():
            setattr(target, name, value)

    def _append(self) -> None:
        value = self.stack.pop()
        self._method(list, "append")(value)

    def _extend(self) -> None:
        values = self.pop_mark()
        self._method(list, "extend")(values)

    def _add(self) -> None:
        values = self.pop_mark()
        self._method(set, "update")(values)

    def _set(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._method(dict, "__setitem__")(key, value)

    def _set_all(self) -> None:
        values = self.pop_mark()
        put = self._method(dict, "__setitem__")
        for key, value in zip(values[::2], values[1::2], strict=True):
            put(key, value)

    def _method(self, kind: type, name: str) -> Callable[..., object]:
        """How an instruction fills the newest object: by its own method only if Python or the user vouches for it."""
        target = self.stack[-1]
        if type(target) in _FILLED[kind]:
            return getattr(target, name)  # type: ignore[no-any-return]
        if isinstance(target, kind) and id(type(target)) in self._user_classes:
            return getattr(target, name)  # type: ignore[no-any-return]
        if isinstance(target, kind) and self._has_modules and programs.is_class(type(target)):
            return partial(getattr(kind, name), target)
        raise CheckpointError(
            f"load: {self._source} fills a {type(target).__name__} as if it were a {kind.__name__}. Fix: save a "
            "state_dict with torch.save."
        )

    dispatch = _Instructions(
        {getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]] for name in _HARMLESS}
        | {
            pickle.REDUCE[0]: _reduce,
            pickle.NEWOBJ[0]: _new,
            pickle.NEWOBJ_EX[0]: _new_with_keywords,
            pickle.BUILD[0]: _build,
            pickle.APPEND[0]: _append,
            pickle.APPENDS[0]: _extend,
            pickle.ADDITEMS[0]: _add,
            pickle.SETITEM[0]: _set,
            pickle.SETITEMS[0]: _set_all,
        }
    )
