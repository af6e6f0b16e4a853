"""Deep stacks of 3x3 convolutions.

Source: Simonyan and Zisserman 2014, Very Deep Convolutional Networks for Large-Scale Image Recognition.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kadam import nn
from kadam.tensor import Tensor
from kadam.vision.models.weights import draw_convolutions, refuse_trained

# How many convolutions stand before each pooling, which halves the size.
_DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_WIDTHS = (64, 128, 256, 512, 512)


class VGG(nn.Module):
    """Convolutions, then three linear layers.

    Shapes:
        images f32[batch, 3, height, width] -> f32[batch, num_classes]

    Args:
        features: the convolutions, which end with 512 channels.
        num_classes: of the result.
        init_weights: whether to draw them as the paper's authors did later, instead of each layer's own way.
        dropout: of the two hidden linear layers.
    """

    def __init__(
        self, features: nn.Module, num_classes: int = 1000, init_weights: bool = True, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(True), nn.Dropout(p=dropout),
            nn.Linear(4096, 4096), nn.ReLU(True), nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )  # fmt: skip
        if init_weights:
            draw_convolutions(self, _draw_linear)

    def forward(self, x: Tensor) -> Tensor:
        """A score for each class."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))  # type: ignore[no-any-return]


def _draw_linear(layer: nn.Linear) -> None:
    nn.init.normal_(layer.weight, 0, 0.01)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


def _features(depth: int, has_norms: bool) -> nn.Sequential:
    parts: list[nn.Module] = []
    channels = 3
    for count, width in zip(_DEPTHS[depth], _WIDTHS, strict=True):
        for _ in range(count):
            parts.append(nn.Conv2d(channels, width, kernel_size=3, padding=1))
            if has_norms:
                parts.append(nn.BatchNorm2d(width))
            parts.append(nn.ReLU(inplace=True))
            channels = width
        parts.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return nn.Sequential(*parts)


def _network(depth: int, has_norms: bool) -> Callable[..., VGG]:
    name = f"vgg{depth}_bn" if has_norms else f"vgg{depth}"

    def make(*, weights: Any = None, pretrained: bool = False, progress: bool = True, **options: Any) -> VGG:
        refuse_trained(name, weights, pretrained)
        return VGG(_features(depth, has_norms), **options)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"A network of {depth} layers. As `torchvision.models.{name}`."
    return make


vgg11, vgg11_bn = _network(11, False), _network(11, True)
vgg13, vgg13_bn = _network(13, False), _network(13, True)
vgg16, vgg16_bn = _network(16, False), _network(16, True)
vgg19, vgg19_bn = _network(19, False), _network(19, True)

__all__ = ["VGG", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"]
