"""The stand-in for torchvision: files on the disk, transforms, pictures of tensors.

Expected values were worked out by hand, or are torchvision 0.29's for the same seed.
"""

from __future__ import annotations

import pickle
import struct
import zlib

import numpy as np
import pytest

import kadam
from kadam.vision import datasets, io, models, transforms, utils
from kadam.vision.images import array_of
from kadam.vision.transforms import functional as F

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)  # height 2, width 3, 3 channels


def mnist_in(folder):
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28)).astype(np.uint8)
    (raw / "train-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, 4, 28, 28) + images.tobytes())
    (raw / "train-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, 4) + bytes([3, 1, 4, 1]))
    return images


def test_mnist_is_read_from_the_disk(tmp_path):
    images = mnist_in(tmp_path)
    digits = datasets.MNIST(tmp_path, train=True, download=True, transform=transforms.ToTensor())
    image, label = digits[2]
    assert (len(digits), label, tuple(image.shape)) == (4, 4, (1, 28, 28))
    np.testing.assert_array_equal(image.numpy()[0], images[2] / np.float32(255))
    assert digits.data.dtype is kadam.uint8
    assert digits.targets.tolist() == [3, 1, 4, 1]
    assert repr(digits).splitlines()[:2] == ["Dataset MNIST", "    Number of datapoints: 4"]


def test_mnist_has_its_former_names(tmp_path):
    mnist_in(tmp_path)
    digits = datasets.MNIST(tmp_path)
    with pytest.warns(UserWarning, match="train_labels has been renamed targets"):
        assert digits.train_labels is digits.targets


@pytest.mark.parametrize(
    ("network", "parameters", "buffers"),
    [(models.resnet18, 11_689_512, 60), (models.resnet50, 25_557_032, 159), (models.alexnet, 61_100_840, 0)],
)
def test_networks_have_torchvisions_parameters(network, parameters, buffers):
    with kadam.no_grad():
        model = network()
    assert sum(one.numel() for one in model.parameters()) == parameters
    assert len(list(model.buffers())) == buffers
    with pytest.raises(NotImplementedError, match="load_state_dict"):
        network(pretrained=True)


def test_networks_draw_torchvisions_weights():
    kadam.manual_seed(0)
    model = models.resnet18(num_classes=10)
    assert list(model.state_dict())[-4:] == [
        "layer4.1.bn2.running_var", "layer4.1.bn2.num_batches_tracked", "fc.weight", "fc.bias",
    ]  # fmt: skip
    # torchvision 0.29's sums for the same seed
    assert model.conv1.weight.double().sum().item() == pytest.approx(-0.674, abs=1e-3)
    assert tuple(model.eval()(kadam.zeros(2, 3, 32, 32)).shape) == (2, 10)


def test_an_image_file_is_read_as_channels(tmp_path):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(PIXELS).save(tmp_path / "a.png")
    np.testing.assert_array_equal(io.read_image(tmp_path / "a.png").numpy(), PIXELS.transpose(2, 0, 1))
    assert tuple(io.read_image(tmp_path / "a.png", io.ImageReadMode.GRAY).shape) == (1, 2, 3)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(RuntimeError, match=r"train-images-idx3-ubyte\.gz.*from https"):
        datasets.MNIST(tmp_path, download=True)
    with pytest.raises(FileNotFoundError, match="data_batch_1"):
        datasets.CIFAR10(tmp_path)


def test_cifar_is_read_without_running_code(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3072)).astype(np.uint8)
    (folder / "test_batch").write_bytes(pickle.dumps({"data": pixels, "labels": [7, 2]}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": ["airplane", "automobile"]}))
    photos = datasets.CIFAR10(tmp_path, train=False)
    image, label = photos[1]
    assert label == 2
    assert photos.classes == ["airplane", "automobile"]
    np.testing.assert_array_equal(array_of(image)[..., 0], pixels[1, :1024].reshape(32, 32))
    (folder / "test_batch").write_bytes(pickle.dumps(print))
    with pytest.raises(pickle.UnpicklingError, match="no place in CIFAR"):
        datasets.CIFAR10(tmp_path, train=False)


def test_what_transforms_do_to_pixels():
    image = kadam.from_numpy(np.moveaxis(PIXELS, -1, 0).copy())
    for same in (PIXELS, image):
        np.testing.assert_array_equal(array_of(F.hflip(same)), PIXELS[:, ::-1])
        np.testing.assert_array_equal(array_of(F.vflip(same)), PIXELS[::-1])
        np.testing.assert_array_equal(array_of(F.crop(same, 0, 1, 2, 2)), PIXELS[:, 1:])
        np.testing.assert_array_equal(array_of(F.pad(same, [1, 0])), np.pad(PIXELS, ((0, 0), (1, 1), (0, 0))))
        np.testing.assert_array_equal(array_of(F.center_crop(same, 2)), PIXELS[:, :2])  # round(0.5) is 0
    np.testing.assert_allclose(F.to_tensor(PIXELS).numpy(), np.moveaxis(PIXELS, -1, 0) / 255.0, rtol=1e-6)
    scaled = F.normalize(F.to_tensor(PIXELS), (0.5, 0.5, 0.5), (0.5, 0.25, 0.5))
    np.testing.assert_allclose(scaled[1].numpy(), (PIXELS[..., 1] / 255.0 - 0.5) / 0.25, rtol=1e-5)
    assert F.resize(PIXELS, 4).shape == (4, 6, 3)
    smaller = F.resize(np.arange(16, dtype=np.float32).reshape(4, 4), (2, 2))
    torch = pytest.importorskip("torch", reason="PyTorch's interpolation is the reference")
    expected = torch.nn.functional.interpolate(
        torch.arange(16.0).reshape(1, 1, 4, 4), (2, 2), mode="bilinear", antialias=True
    )
    np.testing.assert_allclose(smaller, expected[0, 0].numpy(), rtol=1e-6)


def test_chance_draws_from_the_generator_in_torchvisions_order():
    kadam.manual_seed(0)
    image = kadam.arange(36.0).reshape(1, 6, 6)
    crop = transforms.RandomCrop(4)(image)
    kadam.manual_seed(0)
    top, left = kadam.randint(0, 3, (1,)).item(), kadam.randint(0, 3, (1,)).item()
    assert crop[0, 0, 0].item() == 6 * top + left
    kadam.manual_seed(1)
    flips = [transforms.RandomHorizontalFlip()(image)[0, 0, 0].item() == 5 for _ in range(8)]
    kadam.manual_seed(1)
    assert flips == [kadam.rand(1).item() < 0.5 for _ in range(8)]


def test_grids_and_picture_files(tmp_path):
    grid = utils.make_grid(kadam.arange(8.0).reshape(2, 1, 2, 2), padding=1, pad_value=9.0)
    assert grid[0].tolist() == [[9, 9, 9, 9, 9, 9, 9], [9, 0, 1, 9, 4, 5, 9], [9, 2, 3, 9, 6, 7, 9], [9] * 7]
    path = tmp_path / "grid.png"
    utils.save_image(kadam.ones(1, 1, 2, 2), path)
    content = path.read_bytes()
    at = content.index(b"IDAT") + 4
    (length,) = struct.unpack(">I", content[at - 8 : at - 4])
    assert content.startswith(b"\x89PNG")
    assert zlib.decompress(content[at : at + length]).count(b"\xff") == 12


def test_fake_data_is_the_same_each_time():
    fake = datasets.FakeData(3, (3, 8, 8), transform=transforms.ToTensor())
    kadam.manual_seed(5)
    first, label = fake[1]
    drawn = kadam.rand(1).item()
    kadam.manual_seed(5)
    assert kadam.rand(1).item() == drawn  # the generator stands where it stood
    again, same_label = fake[1]
    assert label == same_label
    assert (first == again).all()
