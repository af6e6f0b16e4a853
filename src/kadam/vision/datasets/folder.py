"""Files in folders, one folder for each class."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kadam.vision.datasets.vision import Transform, VisionDataset
from kadam.vision.images import Image

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def default_loader(path: str) -> Any:
    """The image in a file, in colours.

    Raises:
        ModuleNotFoundError: Pillow, which reads it, is not installed.
    """
    if Image is None:
        raise ModuleNotFoundError(f"to read {path}, Pillow is needed. Fix: pip install pillow", name="PIL")
    with open(path, "rb") as file:
        return Image.open(file).convert("RGB")


class DatasetFolder(VisionDataset):
    """The files below the folders of a folder; the folders' names, in alphabetic order, are the classes.

    Args:
        root: the folder.
        loader: is called with a path.
        extensions: of the files that count.
        transform: is called with what the loader gives.
        target_transform: is called with a label.
        is_valid_file: whether a path counts, in place of `extensions`.
        allow_empty: whether a class may have no files.

    Raises:
        FileNotFoundError: there are no classes, or one has no files.
    """

    def __init__(
        self,
        root: str | Path,
        loader: Callable[[str], Any],
        extensions: Sequence[str] | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader
        self.extensions = extensions
        counts = is_valid_file or (lambda path: path.lower().endswith(tuple(extensions or ())))
        self.classes, self.class_to_idx = self.find_classes(self._folder)
        self.samples: list[tuple[str, int]] = []
        for name, index in self.class_to_idx.items():
            found = [(path, index) for path in _files(self._folder / name) if counts(path)]
            if not found and not allow_empty:
                raise FileNotFoundError(
                    f"Found no valid file for the classes {name}. Supported extensions are: "
                    f"{', '.join(extensions or ())}. Fix: allow_empty=True."
                )
            self.samples += found
        self.targets = [index for _, index in self.samples]

    @staticmethod
    def find_classes(directory: str | Path) -> tuple[list[str], dict[str, int]]:
        """The names of the folders, and the label of each."""
        classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
        if not classes:
            raise FileNotFoundError(f"Couldn't find any class folder in {directory}. Fix: one folder for each class.")
        return classes, {name: index for index, name in enumerate(classes)}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        return self._transformed(self.loader(path), target)

    def __len__(self) -> int:
        return len(self.samples)


def _files(folder: Path) -> list[str]:
    return [
        os.path.join(place, name)
        for place, _, names in sorted(os.walk(folder, followlinks=True))
        for name in sorted(names)
    ]


class ImageFolder(DatasetFolder):
    """The images below the folders of a folder; see `DatasetFolder`."""

    def __init__(
        self,
        root: str | Path,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        loader: Callable[[str], Any] = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(root, loader, extensions, transform, target_transform, is_valid_file, allow_empty)
        self.imgs = self.samples
