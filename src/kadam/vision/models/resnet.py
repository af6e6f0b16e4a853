"""Residual networks: each block adds what it computes to what it was given.

Source: He et al. 2015, Deep Residual Learning for Image Recognition.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from kadam import nn
from kadam.tensor import Tensor
from kadam.vision.models.weights import draw_convolutions, refuse_trained

Norm = Callable[[int], nn.Module]


def conv3x3(in_planes: int, out_planes: int, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size, or divides it by the stride."""
    return nn.Conv2d(in_planes, out_planes, kernel_size=3, stride=stride, padding=1, bias=False)


def conv1x1(in_planes: int, out_planes: int, stride: int = 1) -> nn.Conv2d:
    """A 1x1 convolution: each pixel for itself."""
    return nn.Conv2d(in_planes, out_planes, kernel_size=1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, and the input added."""

    expansion: ClassVar = 1

    def __init__(self, inplanes: int, planes: int, stride: int, downsample: nn.Module | None, norm: Norm) -> None:
        super().__init__()
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """The input, changed."""
        inner = self.relu(self.bn1(self.conv1(x)))
        inner = self.bn2(self.conv2(inner))
        inner += x if self.downsample is None else self.downsample(x)
        return self.relu(inner)  # type: ignore[no-any-return]


class Bottleneck(nn.Module):
    """Fewer channels, a 3x3 convolution, and four times as many channels, and the input added."""

    expansion: ClassVar = 4

    def __init__(self, inplanes: int, planes: int, stride: int, downsample: nn.Module | None, norm: Norm) -> None:
        super().__init__()
        self.conv1 = conv1x1(inplanes, planes)
        self.bn1 = norm(planes)
        self.conv2 = conv3x3(planes, planes, stride)
        self.bn2 = norm(planes)
        self.conv3 = conv1x1(planes, planes * self.expansion)
        self.bn3 = norm(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """The input, changed."""
        inner = self.relu(self.bn1(self.conv1(x)))
        inner = self.relu(self.bn2(self.conv2(inner)))
        inner = self.bn3(self.conv3(inner))
        inner += x if self.downsample is None else self.downsample(x)
        return self.relu(inner)  # type: ignore[no-any-return]


class ResNet(nn.Module):
    """Four layers of residual blocks between a 7x7 convolution and a linear classifier.

    Shapes:
        images f32[batch, 3, height, width] -> f32[batch, num_classes]

    Args:
        block: `BasicBlock` or `Bottleneck`.
        layers: how many blocks each of the four layers has.
        num_classes: of the result.
        zero_init_residual: whether each block changes nothing at first.
        norm_layer: makes a norm of so many channels; `nn.BatchNorm2d` by default.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        layers: list[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        norm_layer: Norm | None = None,
    ) -> None:
        super().__init__()
        self._norm_layer = norm_layer or nn.BatchNorm2d
        self.inplanes = 64
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = self._norm_layer(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0], 1)
        self.layer2 = self._make_layer(block, 128, layers[1], 2)
        self.layer3 = self._make_layer(block, 256, layers[2], 2)
        self.layer4 = self._make_layer(block, 512, layers[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        draw_convolutions(self)
        for part in self.modules() if zero_init_residual else ():
            if isinstance(part, BasicBlock | Bottleneck):
                last = part.bn3 if isinstance(part, Bottleneck) else part.bn2
                nn.init.zeros_(last.weight)

    def _make_layer(
        self, block: type[BasicBlock] | type[Bottleneck], planes: int, blocks: int, stride: int
    ) -> nn.Sequential:
        norm, width = self._norm_layer, planes * block.expansion
        downsample = None
        if stride != 1 or self.inplanes != width:
            downsample = nn.Sequential(conv1x1(self.inplanes, width, stride), norm(width))
        parts = [block(self.inplanes, planes, stride, downsample, norm)]
        self.inplanes = width
        parts += [block(width, planes, 1, None, norm) for _ in range(1, blocks)]
        return nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """A score for each class."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))  # type: ignore[no-any-return]


def _network(name: str, block: type[BasicBlock] | type[Bottleneck], layers: list[int]) -> Callable[..., ResNet]:
    def make(*, weights: Any = None, pretrained: bool = False, progress: bool = True, **options: Any) -> ResNet:
        refuse_trained(name, weights, pretrained)
        return ResNet(block, layers, **options)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"A residual network of {name.removeprefix('resnet')} layers. As `torchvision.models.{name}`."
    return make


resnet18 = _network("resnet18", BasicBlock, [2, 2, 2, 2])
resnet34 = _network("resnet34", BasicBlock, [3, 4, 6, 3])
resnet50 = _network("resnet50", Bottleneck, [3, 4, 6, 3])
resnet101 = _network("resnet101", Bottleneck, [3, 4, 23, 3])
resnet152 = _network("resnet152", Bottleneck, [3, 8, 36, 3])

__all__ = ["BasicBlock", "Bottleneck", "ResNet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
