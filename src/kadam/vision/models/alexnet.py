"""The network that won ImageNet in 2012, on one device.

Source: Krizhevsky 2014, One weird trick for parallelizing convolutional neural networks.
"""

from __future__ import annotations

from typing import Any

from kadam import nn
from kadam.tensor import Tensor
from kadam.vision.models.weights import refuse_trained


class AlexNet(nn.Module):
    """Five convolutions, then three linear layers.

    Shapes:
        images f32[batch, 3, height, width] -> f32[batch, num_classes]
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, kernel_size=5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, kernel_size=3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, kernel_size=3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(inplace=True),
            nn.Dropout(p=dropout), nn.Linear(4096, 4096), nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """A score for each class."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))  # type: ignore[no-any-return]


def alexnet(*, weights: Any = None, pretrained: bool = False, progress: bool = True, **options: Any) -> AlexNet:
    """The network. As `torchvision.models.alexnet`."""
    refuse_trained("alexnet", weights, pretrained)
    return AlexNet(**options)
