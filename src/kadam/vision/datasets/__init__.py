"""Images that are on the disk. As `torchvision.datasets`; nothing is downloaded."""

from kadam.vision.datasets.cifar import CIFAR10, CIFAR100
from kadam.vision.datasets.fake import FakeData
from kadam.vision.datasets.folder import DatasetFolder, ImageFolder, default_loader
from kadam.vision.datasets.mnist import KMNIST, MNIST, FashionMNIST
from kadam.vision.datasets.vision import VisionDataset

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "KMNIST",
    "MNIST",
    "DatasetFolder",
    "FakeData",
    "FashionMNIST",
    "ImageFolder",
    "VisionDataset",
    "default_loader",
]  # fmt: skip
