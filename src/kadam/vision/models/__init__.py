"""Networks for images, with weights drawn afresh. As `torchvision.models`."""

from kadam.vision.models.alexnet import AlexNet, alexnet
from kadam.vision.models.resnet import ResNet, resnet18, resnet34, resnet50, resnet101, resnet152
from kadam.vision.models.vgg import VGG, vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from kadam.vision.models.weights import trained_weights

AlexNet_Weights = trained_weights("AlexNet", "IMAGENET1K_V1")
ResNet101_Weights = trained_weights("ResNet101", "IMAGENET1K_V1", "IMAGENET1K_V2")
ResNet152_Weights = trained_weights("ResNet152", "IMAGENET1K_V1", "IMAGENET1K_V2")
ResNet18_Weights = trained_weights("ResNet18", "IMAGENET1K_V1")
ResNet34_Weights = trained_weights("ResNet34", "IMAGENET1K_V1")
ResNet50_Weights = trained_weights("ResNet50", "IMAGENET1K_V1", "IMAGENET1K_V2")
VGG11_Weights = trained_weights("VGG11", "IMAGENET1K_V1")
VGG11_BN_Weights = trained_weights("VGG11_BN", "IMAGENET1K_V1")
VGG13_Weights = trained_weights("VGG13", "IMAGENET1K_V1")
VGG13_BN_Weights = trained_weights("VGG13_BN", "IMAGENET1K_V1")
VGG16_Weights = trained_weights("VGG16", "IMAGENET1K_FEATURES", "IMAGENET1K_V1")
VGG16_BN_Weights = trained_weights("VGG16_BN", "IMAGENET1K_V1")
VGG19_Weights = trained_weights("VGG19", "IMAGENET1K_V1")
VGG19_BN_Weights = trained_weights("VGG19_BN", "IMAGENET1K_V1")

__all__ = [
    "VGG",
    "AlexNet",
    "AlexNet_Weights",
    "ResNet",
    "ResNet18_Weights",
    "ResNet34_Weights",
    "ResNet50_Weights",
    "ResNet101_Weights",
    "ResNet152_Weights",
    "VGG11_BN_Weights",
    "VGG11_Weights",
    "VGG13_BN_Weights",
    "VGG13_Weights",
    "VGG16_BN_Weights",
    "VGG16_Weights",
    "VGG19_BN_Weights",
    "VGG19_Weights",
    "alexnet",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]  # fmt: skip
