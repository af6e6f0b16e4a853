"""CIFAR: colour images of 32 x 32 pixels, in pickled batches.

Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from kadam.vision.datasets.vision import Transform, VisionDataset, missing_files
from kadam.vision.images import Array, from_pixels

_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"), ("numpy", "ndarray"),
    ("numpy", "dtype"), ("_codecs", "encode"),
}  # fmt: skip


class _ArraysOnly(pickle.Unpickler):
    """Reads arrays, strings, numbers and nests of them, and can run no code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in CIFAR's files. Fix: download them again.")
        return super().find_class(module, name)


class CIFAR10(VisionDataset):
    """Photos of ten kinds of things.

    Args:
        root: of the folder `cifar-10-batches-py`.
        train: the 50,000 images to train with, or the 10,000 to test with.
        transform: is called with an image.
        target_transform: is called with a label.
        download: accepted where the files are there.

    Raises:
        MissingFilesError: the files are not there.
    """

    base_folder: ClassVar[str] = "cifar-10-batches-py"
    source: ClassVar[str] = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    train_list: ClassVar[list[str]] = [f"data_batch_{number}" for number in range(1, 6)]
    test_list: ClassVar[list[str]] = ["test_batch"]
    meta: ClassVar[tuple[str, str]] = ("batches.meta", "label_names")

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        batches = [self._read(name) for name in (self.train_list if train else self.test_list)]
        pixels = np.concatenate([batch["data"] for batch in batches]).reshape(-1, 3, 32, 32)
        self.data: Array = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        self.targets: list[int] = [
            label for batch in batches for label in batch.get("labels", batch.get("fine_labels"))
        ]
        self.classes: list[str] = self._read(self.meta[0])[self.meta[1]]
        self.class_to_idx = {name: index for index, name in enumerate(self.classes)}

    def _read(self, name: str) -> Any:
        path = self._folder / self.base_folder / name
        if not path.exists():
            files = [*self.train_list, *self.test_list, self.meta[0]]
            raise missing_files(type(self).__name__, path.parent, files, self.source)
        with path.open("rb") as file:
            return _ArraysOnly(file, encoding="latin1").load()

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._transformed(from_pixels(self.data[index]), self.targets[index])

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class CIFAR100(CIFAR10):
    """Photos of a hundred kinds of things; see `CIFAR10`."""

    base_folder = "cifar-100-python"
    source = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    train_list: ClassVar[list[str]] = ["train"]
    test_list: ClassVar[list[str]] = ["test"]
    meta = ("meta", "fine_label_names")
