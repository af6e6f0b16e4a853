"""What a module owns: parameters, buffers and submodules, each an attribute and each registered by name.

A member stands once, in the instance's `__dict__`, so that `self.weight` is an ordinary attribute. `_members` only says
of which kind each name is, and `_parameters`, `_buffers` and `_modules` are live views of the members of one kind.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, MutableMapping, ValuesView
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kadam.nn.parameter import Buffer, Parameter
from kadam.recording.refused import tell_constructor
from kadam.tensor import Tensor

PARAMETER, BUFFER, MODULE = "parameter", "buffer", "module"
Member = TypeVar("Member")


class Registry(MutableMapping[str, Member], Generic[Member]):
    """The members of one kind, by name, in order of registration; writing to it writes the module's attributes."""

    __slots__ = ("_attributes", "_kind")

    def __init__(self, attributes: dict[str, Any], kind: str) -> None:
        self._attributes = attributes
        self._kind = kind

    def __getitem__(self, name: str) -> Member:
        if self._attributes["_members"].get(name) != self._kind:
            raise KeyError(name)
        member: Member = self._attributes[name]
        return member

    def __setitem__(self, name: str, member: Member) -> None:
        register(self._attributes, self._kind, name, member)

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        forget(self._attributes, name)

    def __contains__(self, name: object) -> bool:
        return bool(self._attributes["_members"].get(name) == self._kind)

    def __iter__(self) -> Iterator[str]:
        return iter(self.copy())

    def __len__(self) -> int:
        return len(members_of(self._attributes, self._kind))

    def __repr__(self) -> str:
        return repr(self.copy())

    # What a loop goes over is a snapshot, so that it may add and delete members.
    def keys(self) -> KeysView[str]:
        return self.copy().keys()

    def items(self) -> ItemsView[str, Member]:
        return self.copy().items()

    def values(self) -> ValuesView[Member]:
        return self.copy().values()

    def copy(self) -> dict[str, Member]:
        return dict(members_of(self._attributes, self._kind))


def members_of(attributes: dict[str, Any], kind: str) -> list[tuple[str, Any]]:
    """The members of one kind, by name, in order of registration, read from a module's `__dict__`."""
    return [(name, attributes[name]) for name, found in attributes["_members"].items() if found == kind]


def register(attributes: dict[str, Any], kind: str, name: str, member: object) -> None:
    """Make `member` the attribute `name` and one of this kind; a name that changes its kind moves to the end."""
    members = attributes["_members"]
    if members.get(name) != kind:
        if name in members:
            forget(attributes, name)
        members[name] = kind
    attributes[name] = member


def forget(attributes: dict[str, Any], name: str) -> None:
    """Drop the member `name`, the attribute and its registration."""
    del attributes["_members"][name]
    attributes["_non_persistent_buffers_set"].discard(name)
    del attributes[name]


RegistrationHook = Callable[["Registered", str, Any], Any]
registration_hooks: dict[str, dict[int, RegistrationHook]] = {PARAMETER: {}, BUFFER: {}, MODULE: {}}


def type_name(value: object) -> str:
    """The type of a value as PyTorch's messages spell it: `torch.FloatTensor`, `int`, `numpy.ndarray`."""
    if isinstance(value, Tensor):
        return str(value.type())
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


class Registered:
    """An object whose parameters, buffers and submodules are attributes: the part of `Module` that keeps them."""

    _members: dict[str, str]
    _non_persistent_buffers_set: set[str]

    def _view(self, kind: str) -> Registry[Any]:
        attributes = vars(self)
        if "_members" not in attributes:
            raise AttributeError(
                f"'{type(self).__name__}' object has no attribute '_{kind}s'. Fix: call super().__init__() first in "
                "the module's __init__."
            )
        return Registry(attributes, kind)

    def _replace(self, kind: str, members: Mapping[str, Any]) -> None:
        attributes = vars(self)
        for name in self._view(kind):
            del attributes[name]
        # A new table: code that clones a module copies `__dict__`, so the old one may be shared with the original.
        attributes["_members"] = {name: other for name, other in self._members.items() if other != kind}
        for name, member in members.items():
            register(attributes, kind, name, member)

    @property
    def _parameters(self) -> Registry[Parameter | None]:
        return self._view(PARAMETER)

    @_parameters.setter
    def _parameters(self, members: Mapping[str, Parameter | None]) -> None:
        self._replace(PARAMETER, members)

    @property
    def _buffers(self) -> Registry[Tensor | None]:
        return self._view(BUFFER)

    @_buffers.setter
    def _buffers(self, members: Mapping[str, Tensor | None]) -> None:
        self._replace(BUFFER, members)

    @property
    def _modules(self) -> Registry[Any]:
        return self._view(MODULE)

    @_modules.setter
    def _modules(self, members: Mapping[str, Any]) -> None:
        self._replace(MODULE, members)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, or None for one that this module may have and does not.

        Raises:
            TypeError: `param` is not an `nn.Parameter`.
            KeyError: the name is empty, holds a dot, or is taken by another attribute.
            ValueError: `param` has a history, so it cannot be a leaf that an optimizer updates.
        """
        self._check_initialised("parameter")
        self._check_name(PARAMETER, name)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{type_name(param)}' object to parameter '{name}' (torch.nn.Parameter or None "
                f"required). Fix: wrap it: nn.Parameter(tensor), or remove the parameter first (del module.{name})."
            )
        if param is not None and not param.is_leaf:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. To "
                f"express '{name}' as a function of another Tensor, compute the value in the forward() method. Fix: "
                "nn.Parameter(tensor.detach()), or compute it in forward()."
            )
        self._register(PARAMETER, name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but is not trained, such as a running mean.

        Args:
            name: the attribute.
            tensor: the buffer, or None for one that this module may have and does not.
            persistent: whether `state_dict` holds it.

        Raises:
            TypeError: `tensor` is not a tensor.
            KeyError: the name is empty, holds a dot, or is taken by another attribute.
        """
        self._check_initialised("buffer")
        self._check_name(BUFFER, name)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{type_name(tensor)}' object to buffer '{name}' (torch Tensor or None required). Fix: "
                "torch.as_tensor(value)."
            )
        self._register(BUFFER, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_module(self, name: str, module: Any) -> None:
        """Add a submodule, or None for one that this module may have and does not; as `add_module`."""
        self.add_module(name, module)

    def add_module(self, name: str, module: Any) -> None:
        """Add a submodule, or None for one that this module may have and does not.

        Raises:
            TypeError: `module` is not a module, or its name is not a string.
            KeyError: the name is empty, holds a dot, or is taken by another attribute.
        """
        if module is not None and not isinstance(module, Registered):
            raise TypeError(
                f"{type_name(module)} is not a Module subclass. Fix: give an nn.Module; a plain function needs none: "
                "call it in forward()."
            )
        self._check_initialised("module")
        self._check_name(MODULE, name)
        self._register(MODULE, name, module)

    def _check_initialised(self, what: str) -> None:
        if "_members" not in vars(self):
            raise AttributeError(
                f"cannot assign {what} before Module.__init__() call. Fix: call super().__init__() first in the "
                "module's __init__."
            )

    def _check_name(self, kind: str, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type_name(name)}. Fix: str(name).")
        if self._members.get(name) != kind and hasattr(self, name):
            raise KeyError(
                f"{type(self).__name__}: attribute '{name}' already exists. Fix: choose another name, or delete the "
                "attribute first."
            )
        if "." in name:
            got = f", got: {name}" if kind == MODULE else ""
            raise KeyError(f'{kind} name can\'t contain "."{got}. Fix: {name.replace(".", "_")!r}.')
        if name == "":
            raise KeyError(f'{type(self).__name__}: {kind} name can\'t be empty string "". Fix: give a name.')

    def _register(self, kind: str, name: str, member: object) -> None:
        for hook in registration_hooks[kind].values():
            replacement = hook(self, name, member)
            if replacement is not None:
                member = replacement
        register(vars(self), kind, name, member)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Members, for those who read the types; see `_found_or_missing`."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        tell_constructor(cls)
        if any(_names_getattr(one) for one in cls.__mro__ if one is cls or not issubclass(one, Registered)):
            Registered.__getattr__ = _found_or_missing  # type: ignore[method-assign]
        if cls.__getattribute__ is object.__getattribute__ and any(
            "__getattr__" in vars(one) for one in cls.__mro__ if one is not Registered
        ):
            cls.__getattribute__ = _asking_getattr  # type: ignore[method-assign, assignment]

    def __setattr__(self, name: str, value: Any) -> None:
        kind = vars(self).get("_members", {}).get(name)
        if isinstance(value, Parameter):
            self._assign_parameter(name, value)
        elif kind == PARAMETER:
            self._reassign(kind, name, value)
        elif isinstance(value, Registered):
            self._check_initialised("module")
            self._register(MODULE, name, value)
        elif kind == MODULE:
            self._reassign(kind, name, value)
        elif isinstance(value, Buffer):
            self._check_initialised("buffer")
            self._make_free(BUFFER, name)
            self.register_buffer(name, value, value.persistent)
        elif kind == BUFFER:
            self._reassign(kind, name, value)
        else:
            object.__setattr__(self, name, value)

    def _assign_parameter(self, name: str, value: Parameter) -> None:
        self._check_initialised("parameters")
        self._make_free(PARAMETER, name)
        self.register_parameter(name, value)

    def _make_free(self, kind: str, name: str) -> None:
        """Drop an attribute that is not of this kind, as an assignment does."""
        if self._members.get(name) != kind:
            if name in self._members:
                forget(vars(self), name)
            else:
                vars(self).pop(name, None)

    def _reassign(self, kind: str, name: str, value: object) -> None:
        """Assign a plain value to a registered name: None always fits, a tensor fits a buffer."""
        if value is not None and not (kind == BUFFER and isinstance(value, Tensor)):
            raise TypeError(
                f"cannot assign '{type_name(value)}' as {_EXPECTED[kind].format(name)}. Fix: delete the attribute "
                f"first (del module.{name}), or assign under another name."
            )
        self._register(kind, name, value)

    def __delattr__(self, name: str) -> None:
        if name in vars(self).get("_members", ()):
            forget(vars(self), name)
        else:
            object.__delattr__(self, name)


_EXPECTED = {
    PARAMETER: "parameter '{}' (torch.nn.Parameter or None expected)",
    BUFFER: "buffer '{}' (torch.nn.Buffer, torch.Tensor or None expected)",
    MODULE: "child module '{}' (torch.nn.Module or None expected)",
}


def _names_getattr(cls: type) -> bool:
    """Whether a class has a `__getattr__`, or a method that calls one."""
    return "__getattr__" in vars(cls) or any(
        "__getattr__" in code.co_names
        for function in vars(cls).values()
        if isinstance(function, FunctionType)
        for code in _with_inner(function.__code__)
    )


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _with_inner(inner)


def _asking_getattr(module: Registered, name: str) -> Any:
    """The `__getattribute__` of classes with a `__getattr__` of their own: PyTorch asks that for every member."""
    attributes = object.__getattribute__(module, "__dict__")
    if name in attributes.get("_members", ()):
        return type(module).__getattr__(module, name)
    return object.__getattribute__(module, name)


def _found_or_missing(module: Registered, name: str) -> Any:
    """The `__getattr__` of modules, which a subclass's own one calls for members.

    Members stand in `__dict__`, where Python finds them without it; and of a class that has one, Python reads every
    attribute many times slower. So modules get theirs when the first class is made that names it.

    Raises:
        AttributeError: it is no member.
    """
    attributes = vars(module)
    if name in attributes.get("_members", ()):
        return attributes[name]
    raise AttributeError(f"'{type(module).__name__}' object has no attribute '{name}'", name=name, obj=module)
