"""MNIST's kin: grey images of 28 x 28 pixels in the IDX format.

Source: LeCun, Cortes, Burges, http://yann.lecun.com/exdb/mnist/ (the format).
"""

from __future__ import annotations

import gzip
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from kadam.recording.tensor import read
from kadam.tensor import Tensor
from kadam.vision.datasets.vision import Transform, VisionDataset, missing_files
from kadam.vision.images import Array, from_pixels, tensor_of


class MNIST(VisionDataset):
    """Handwritten digits.

    Args:
        root: of `MNIST/raw`, in which the four files are, packed (.gz) or not.
        train: the 60,000 images to train with, or the 10,000 to test with.
        transform: is called with an image.
        target_transform: is called with a label.
        download: accepted where the files are there.

    Raises:
        MissingFilesError: the files are not there.
    """

    source: ClassVar[str] = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    classes: ClassVar[list[str]] = [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four",
        "5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine",
    ]  # fmt: skip

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
        part = "train" if train else "t10k"
        self.data: Tensor = tensor_of(self._read(f"{part}-images-idx3-ubyte"))
        self.targets: Tensor = tensor_of(self._read(f"{part}-labels-idx1-ubyte").astype(np.int64))

    @property
    def raw_folder(self) -> str:
        """Where the files are."""
        return str(self._folder / type(self).__name__ / "raw")

    @property
    def train_data(self) -> Tensor:
        """The former name of `data`."""
        return self._formerly("train_data", self.data, "data")

    @property
    def test_data(self) -> Tensor:
        """The former name of `data`."""
        return self._formerly("test_data", self.data, "data")

    @property
    def train_labels(self) -> Tensor:
        """The former name of `targets`."""
        return self._formerly("train_labels", self.targets, "targets")

    @property
    def test_labels(self) -> Tensor:
        """The former name of `targets`."""
        return self._formerly("test_labels", self.targets, "targets")

    @staticmethod
    def _formerly(name: str, value: Tensor, now: str) -> Tensor:
        warnings.warn(f"{name} has been renamed {now}", stacklevel=3)
        return value

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class."""
        return {name: index for index, name in enumerate(self.classes)}

    def _read(self, name: str) -> Array:
        plain, packed = Path(self.raw_folder) / name, Path(self.raw_folder) / f"{name}.gz"
        if plain.exists():
            return read_idx(plain.read_bytes())
        if packed.exists():
            return read_idx(gzip.decompress(packed.read_bytes()))
        files = [f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
        raise missing_files(type(self).__name__, Path(self.raw_folder), files, self.source)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image = from_pixels(read(self.data)[index])
        return self._transformed(image, int(read(self.targets)[index]))

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class FashionMNIST(MNIST):
    """Clothes. Source: Xiao, Rasul, Vollgraf, 2017, https://arxiv.org/abs/1708.07747."""

    source = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
    classes: ClassVar[list[str]] = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ]  # fmt: skip


class KMNIST(MNIST):
    """Handwritten hiragana. Source: Clanuwat et al., 2018, https://arxiv.org/abs/1812.01718."""

    source = "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"
    classes: ClassVar[list[str]] = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]


def read_idx(content: bytes) -> Array:
    """An array of bytes as the IDX format writes it: two zeros, 8 for bytes, the rank, the sizes, the values.

    Raises:
        ValueError: it is none.
    """
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise ValueError("this is no IDX file of bytes. Fix: look whether the download is complete.")
    rank = content[3]
    sizes = np.frombuffer(content, ">u4", rank, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(sizes.astype(int))
