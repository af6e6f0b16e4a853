"""Transforms of transforms."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from kadam.nn import Module, ModuleList
from kadam.vision.transforms.chance import happens

Transform = Callable[[Any], Any]


class Compose:
    """Transforms one after the other."""

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_listed(self.transforms)}\n)"


def _listed(transforms: Sequence[Transform] | ModuleList) -> str:
    return "".join(f"\n    {transform}" for transform in transforms)


class Lambda:
    """A function as a transform."""

    def __init__(self, lambd: Transform) -> None:
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}. Fix: give a function.")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Several:
    """The base of transforms that choose among others."""

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = transforms

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_listed(self.transforms)}\n)"


class RandomOrder(_Several):
    """Transforms one after the other, in a random order."""

    def __call__(self, img: Any) -> Any:
        order = list(range(len(self.transforms)))
        random.shuffle(order)
        for index in order:
            img = self.transforms[index](img)
        return img


class RandomChoice(_Several):
    """One of several transforms."""

    def __init__(self, transforms: Sequence[Transform], p: Sequence[float] | None = None) -> None:
        super().__init__(transforms)
        self.p = p

    def __call__(self, img: Any) -> Any:
        return random.choices(self.transforms, weights=self.p)[0](img)

    def __repr__(self) -> str:
        return f"{super().__repr__()}(p={self.p})"


class RandomApply(Module):
    """All of several transforms, or none.

    Args:
        transforms: one after the other.
        p: probability of all.
    """

    def __init__(self, transforms: Sequence[Transform] | ModuleList, p: float = 0.5) -> None:
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, img: Any) -> Any:
        if not happens(self.p):
            return img
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(\n    p={self.p}{_listed(self.transforms)}\n)"
