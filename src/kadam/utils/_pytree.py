"""Nests of containers taken apart into leaves and put together again. As `torch.utils._pytree`."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple


class SequenceKey(NamedTuple):
    """A step on the way to a leaf: the place in a list or tuple."""

    idx: int


class MappingKey(NamedTuple):
    """A step on the way to a leaf: the key in a dictionary."""

    key: Any


class NodeDef(NamedTuple):
    """How one type of container comes apart, into children and a context, and together again."""

    type: type
    flatten_fn: Callable[[Any], tuple[list[Any], Any]]
    unflatten_fn: Callable[[Iterable[Any], Any], Any]


SUPPORTED_NODES: dict[type, NodeDef] = {}


def register_pytree_node(
    cls: type,
    flatten_fn: Callable[[Any], tuple[list[Any], Any]],
    unflatten_fn: Callable[[Iterable[Any], Any], Any],
    **options: Any,
) -> None:
    """Have a type be a container whose leaves are looked for inside.

    Raises:
        ValueError: the type is one already.
    """
    if cls in SUPPORTED_NODES:
        raise ValueError(f"register_pytree_node: {cls} is registered already. Fix: register it once.")
    SUPPORTED_NODES[cls] = NodeDef(cls, flatten_fn, unflatten_fn)


_register_pytree_node = register_pytree_node


def _register_containers() -> None:
    def rebuild_default(values: Iterable[Any], context: list[Any]) -> Any:
        return defaultdict(context[0], zip(context[1], values, strict=True))

    register_pytree_node(list, lambda nest: (nest, None), lambda values, _: list(values))
    register_pytree_node(tuple, lambda nest: (list(nest), None), lambda values, _: tuple(values))
    register_pytree_node(deque, lambda nest: (list(nest), nest.maxlen), lambda values, most: deque(values, most))
    register_pytree_node(dict, _dict_flatten, _dict_unflatten)
    register_pytree_node(OrderedDict, _dict_flatten, lambda values, keys: OrderedDict(zip(keys, values, strict=True)))
    register_pytree_node(
        defaultdict, lambda nest: (list(nest.values()), [nest.default_factory, list(nest)]), rebuild_default
    )


def _dict_flatten(nest: dict[Any, Any]) -> tuple[list[Any], list[Any]]:
    return list(nest.values()), list(nest)


def _dict_unflatten(values: Iterable[Any], keys: Iterable[Any]) -> dict[Any, Any]:
    return dict(zip(keys, values, strict=True))


def _dict_flatten_with_keys(nest: dict[Any, Any]) -> tuple[list[tuple[MappingKey, Any]], list[Any]]:
    return [(MappingKey(key), value) for key, value in nest.items()], list(nest)


_register_containers()


class _NamedTuples:
    """Stands in `TreeSpec.type` for every named tuple; the context says which."""


_NAMED = NodeDef(_NamedTuples, lambda nest: (list(nest), type(nest)), lambda values, kind: kind(*values))
_NamedTuples.__name__ = "namedtuple"


def _node_of(nest: Any) -> NodeDef | None:
    """How a container comes apart; None for a leaf. A subclass of a container is a leaf, unless it is registered."""
    kind = type(nest)
    if isinstance(nest, tuple) and hasattr(kind, "_fields"):
        return _NAMED
    return SUPPORTED_NODES.get(kind)


def _get_node_type(nest: Any) -> type:
    node = _node_of(nest)
    return type(nest) if node is None else node.type


@dataclass(eq=True, frozen=True)
class TreeSpec:
    """The form of a nest, without its leaves.

    Attributes:
        type: of the outermost container; None for a leaf.
        context: what its type needs beside the children: a dictionary's keys.
    """

    type: type | None
    context: Any
    _children: list[TreeSpec]

    @property
    def num_leaves(self) -> int:
        """How many leaves there are."""
        return 1 if self.is_leaf() else sum(child.num_leaves for child in self._children)

    @property
    def num_nodes(self) -> int:
        """How many containers and leaves there are."""
        return 1 + sum(child.num_nodes for child in self._children)

    @property
    def num_children(self) -> int:
        """How many parts the outermost container has."""
        return len(self._children)

    def is_leaf(self) -> bool:
        """Whether there is no container."""
        return self.type is None

    def children(self) -> list[TreeSpec]:
        """The forms of the outermost container's parts."""
        return list(self._children)

    def child(self, index: int) -> TreeSpec:
        """The form of one of them."""
        return self._children[index]

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """The nest of this form with these leaves.

        Raises:
            ValueError: there are more or fewer of them than the form has.
        """
        given = list(leaves)
        if len(given) != self.num_leaves:
            raise ValueError(
                f"tree_unflatten: {len(given)} leaves for a nest of {self.num_leaves}. Fix: give one for each of "
                f"{self!r}."
            )
        return self._filled(iter(given))

    def _filled(self, leaves: Any) -> Any:
        if self.type is None:
            return next(leaves)
        node = _NAMED if self.type is _NamedTuples else SUPPORTED_NODES[self.type]
        return node.unflatten_fn([child._filled(leaves) for child in self._children], self.context)

    def flatten_up_to(self, nest: Any) -> list[Any]:
        """What stands in another nest where this one has its leaves.

        Raises:
            ValueError: its containers are others, or have more or fewer parts.
        """
        if self.type is None:
            return [nest]
        node = _node_of(nest)
        if node is None or node.type is not self.type:
            raise ValueError(
                f"tree_map: the nests differ: {self.type.__name__} in the first, {type(nest).__name__} in another. "
                "Fix: give nests of one form."
            )
        parts, context = node.flatten_fn(nest)
        if len(parts) != len(self._children):
            raise ValueError(
                f"tree_map: the nests differ: a {self.type.__name__} has {len(self._children)} parts in the first, and "
                f"{len(parts)} in another. Fix: give nests of one form."
            )
        if issubclass(self.type, dict) and not issubclass(self.type, defaultdict):
            parts = [nest[key] for key in _same_keys(self.context, context, nest)]
        return [leaf for child, part in zip(self._children, parts, strict=True) for leaf in child.flatten_up_to(part)]

    def __repr__(self) -> str:
        if self.type is None:
            return "*"
        inside = ", ".join(map(repr, self._children))
        return f"TreeSpec({self.type.__name__}, {self.context!r}, [{inside}])"


def _same_keys(expected: list[Any], given: list[Any], nest: dict[Any, Any]) -> list[Any]:
    if any(key not in nest for key in expected):
        raise ValueError(f"tree_map: the nests differ: keys {expected} and {given}. Fix: give nests of one form.")
    return expected


class LeafSpec(TreeSpec):
    """The form of a leaf."""

    def __init__(self) -> None:
        super().__init__(None, None, [])

    __repr__ = TreeSpec.__repr__


def tree_flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], TreeSpec]:
    """The leaves of a nest, in order, and its form.

    Args:
        tree: lists, tuples, dictionaries, deques and what is registered, within each other.
        is_leaf: says where not to look inside.
    """
    leaves: list[Any] = []

    def form(nest: Any) -> TreeSpec:
        node = None if is_leaf is not None and is_leaf(nest) else _node_of(nest)
        if node is None:
            leaves.append(nest)
            return LeafSpec()
        parts, context = node.flatten_fn(nest)
        return TreeSpec(node.type, context, [form(part) for part in parts])

    spec = form(tree)
    return leaves, spec


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> Any:
    """The nest of a form with these leaves."""
    return treespec.unflatten(leaves)


def tree_leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """The leaves of a nest, in order."""
    return tree_flatten(tree, is_leaf)[0]


tree_iter = tree_leaves


def tree_structure(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> TreeSpec:
    """The form of a nest."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """The nest with `func` applied to its leaves, and what stands in the same places of the other nests."""
    leaves, spec = tree_flatten(tree, is_leaf)
    return spec.unflatten([func(*found) for found in zip(leaves, *map(spec.flatten_up_to, rests), strict=True)])


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: Callable[[Any], bool] | None = None) -> Any:
    """The nest itself, after `func` was called with each leaf."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def tree_map_only(
    type_or_types_or_pred: Any,
    func: Callable[[Any], Any],
    tree: Any,
    is_leaf: Callable[[Any], bool] | None = None,
) -> Any:
    """The nest with `func` applied to the leaves of some types, or those that a function chooses."""
    chosen = _choice(type_or_types_or_pred)
    return tree_map(lambda leaf: func(leaf) if chosen(leaf) else leaf, tree, is_leaf=is_leaf)


def _choice(wanted: Any) -> Callable[[Any], bool]:
    if callable(wanted) and not isinstance(wanted, type):
        return wanted  # type: ignore[no-any-return]
    return lambda leaf: isinstance(leaf, wanted)


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether `pred` is true of all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> bool:
    """Whether `pred` is true of some leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


PyTree = Any
Context = Any
FlattenFunc = Callable[[Any], tuple[list[Any], Any]]
UnflattenFunc = Callable[[Iterable[Any], Any], Any]
