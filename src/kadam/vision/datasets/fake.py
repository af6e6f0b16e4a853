"""Images of noise, to try a program with."""

from __future__ import annotations

from typing import Any

from kadam.ops.random import fork_rng, manual_seed, randint, randn
from kadam.vision.datasets.vision import Transform, VisionDataset
from kadam.vision.transforms.functional import to_pil_image


class FakeData(VisionDataset):
    """Images of noise with random labels, the same at every call.

    Args:
        size: how many.
        image_size: (channels, height, width).
        num_classes: how many labels there are.
        transform: is called with an image.
        target_transform: is called with a label.
        random_offset: another one, other images.
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        self.size = size
        self.image_size = image_size
        self.num_classes = num_classes
        self.random_offset = random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if index >= len(self):
            raise IndexError(f"{type(self).__name__} index out of range. Fix: indices go from 0 to {self.size - 1}.")
        with fork_rng():
            manual_seed(index + self.random_offset)
            image = randn(self.image_size)
            target = int(randint(0, self.num_classes, (1,)).item())
        return self._transformed(to_pil_image(image), target)

    def __len__(self) -> int:
        return self.size
