"""Networks for images, with weights drawn afresh. As `torchvision.models`."""

from kadam.vision.models.alexnet import AlexNet, alexnet
from kadam.vision.models.resnet import ResNet, resnet18, resnet34, resnet50, resnet101, resnet152
from kadam.vision.models.vgg import VGG, vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn

__all__ = [
    "VGG", "AlexNet", "ResNet", "alexnet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
    "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn",
]  # fmt: skip
