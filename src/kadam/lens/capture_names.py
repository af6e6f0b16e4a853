"""What a program calls its tensors and modules."""

from __future__ import annotations

import weakref
from typing import Any

from kadam.lens.capture_events import is_users
from kadam.nn.modules.module import Module
from kadam.recording.tensor import Recorded
from kadam.recording.watch import Tokens


class Names:
    """What the program calls its tensors.

    Attributes:
        roots, labels: the outermost modules that were called, and their variables.
        parameters: token -> path in the model.
        variables: token -> variable of one of the program's frames.
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.roots: list[weakref.ref[Any]] = []
        self.labels: list[str] = []
        self.paths: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
        self.variables: dict[int, str] = {}
        self.parameters: dict[int, str] = {}

    def root(self, module: Any, frame: Any) -> int:
        """The number of an outermost module."""
        for index, known in enumerate(self.roots):
            if known() is module:
                return index
        self.roots.append(weakref.ref(module))
        self.labels.append(_variable(module, frame) or _within(module, frame) or type(module).__name__.lower())
        return len(self.roots) - 1

    def path(self, root: Any, module: Any) -> str:
        """The path of a module in an outermost one."""
        if module is root:
            return ""
        if module not in self.paths:
            for path, one in root.named_modules():
                self.paths[one] = path
        return self.paths.get(module, type(module).__name__)

    def refresh(self) -> None:
        """Note the parameters and buffers of the models that were called; of models of one name, the latest."""
        models = {label: root for known, label in zip(self.roots, self.labels, strict=True) if (root := known())}
        members = {label: dict([*root.named_parameters(), *root.named_buffers()]) for label, root in models.items()}
        for label, own in members.items():
            clash = any(not own.keys().isdisjoint(other) for each, other in members.items() if each != label)
            for name, tensor in own.items():
                self.parameters[self.tokens.of(tensor)] = f"{label}.{name}" if clash else name

    def look_around(self, frame: Any) -> None:
        """Note by which variables the program's frames know tensors."""
        while frame is not None:
            if is_users(frame):
                for name, value in (*frame.f_locals.items(), *frame.f_globals.items()):
                    self._note(name, value)
            frame = frame.f_back

    def _note(self, name: str, value: Any) -> None:
        if name.startswith("__"):
            return
        if isinstance(value, Recorded):
            self.variables.setdefault(self.tokens.of(value), name)
        elif isinstance(value, list | tuple) and len(value) <= 16:
            for index, one in enumerate(value):
                if isinstance(one, Recorded):
                    self.variables.setdefault(self.tokens.of(one), f"{name}[{index}]")
        elif isinstance(value, dict) and len(value) <= 32:
            for key, one in value.items():
                if isinstance(one, Recorded):
                    self.variables.setdefault(self.tokens.of(one), f"{name}[{key!r}]")


def _variable(value: Any, frame: Any) -> str | None:
    while frame is not None:
        if is_users(frame):
            for name, one in (*frame.f_locals.items(), *frame.f_globals.items()):
                if one is value and name != "self":
                    return str(name)
        frame = frame.f_back
    return None


def _within(module: Module, frame: Any) -> str | None:
    """Where a module stands in another one that the program's frames know: `net.0`, `policy.actor`."""
    while frame is not None:
        if is_users(frame):
            for name, one in (*frame.f_locals.items(), *frame.f_globals.items()):
                if isinstance(one, Module) and name != "self":
                    path = next((path for path, inner in one.named_modules() if inner is module), None)
                    if path:
                        return f"{name}.{path}"
        frame = frame.f_back
    return None
