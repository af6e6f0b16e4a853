"""What the datasets of images have in common."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kadam.utils.data import Dataset

Transform = Callable[[Any], Any]


class MissingFilesError(FileNotFoundError, RuntimeError):
    """A dataset whose files are not there; torchvision raises a RuntimeError for it."""


def missing_files(name: str, folder: Path, files: Iterable[str], source: str) -> MissingFilesError:
    """The error that says which files to put where."""
    return MissingFilesError(
        f"{name}: Dataset not found or corrupted in {folder}. Kadam downloads nothing. Fix: put {', '.join(files)} "
        f"there, from {source}."
    )


class VisionDataset(Dataset[Any]):
    """Images with labels.

    Args:
        root: the folder that they lie in.
        transforms: is called with an image and its label.
        transform: is called with an image.
        target_transform: is called with a label.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        transforms: Callable[[Any, Any], Any] | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        if transforms is not None and (transform is not None or target_transform is not None):
            raise ValueError(
                "Only transforms or transform/target_transform can be passed as argument. Fix: one of the two."
            )
        self.transform = transform
        self.target_transform = target_transform
        self.transforms = transforms

    @property
    def _folder(self) -> Path:
        return Path(self.root or ".")

    def _transformed(self, image: Any, target: Any) -> tuple[Any, Any]:
        if self.transforms is not None:
            return self.transforms(image, target)  # type: ignore[no-any-return]
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} does not define __len__. Fix: define it.")

    def __repr__(self) -> str:
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        if self.transform is not None or self.target_transform is not None:
            body.append("StandardTransform")
        lines = [f"Dataset {type(self).__name__}", *(f"    {line}" for line in body)]
        lines += _shown("Transform: ", self.transform) + _shown("Target transform: ", self.target_transform)
        return "\n".join(lines)

    def extra_repr(self) -> str:
        """Further lines of the `repr`."""
        return ""


def _shown(head: str, transform: Transform | None) -> list[str]:
    if transform is None:
        return []
    first, *rest = repr(transform).splitlines()
    return [f"{head}{first}", *(f"{' ' * len(head)}{line}" for line in rest)]
