"""What a script that catches an error prints of its class, against PyTorch."""

import pytest

from kadam import torch_imports

MISTAKES = {
    "gather": lambda t, x: x.gather(1, t.tensor([[3]])),
    "scatter": lambda t, x: x.scatter(1, t.tensor([[3]]), 1.0),
    "scatter_add": lambda t, x: x.scatter_add(1, t.tensor([[3]]), x),
    "indexing": lambda t, x: x[:, t.tensor([3])],
    "embedding": lambda t, x: t.nn.functional.embedding(t.tensor([9]), x),
    "labels": lambda t, x: t.nn.functional.cross_entropy(x, t.tensor([3, 0])),
    "cat": lambda t, x: t.cat([]),
    "stack": lambda t, x: t.stack([]),
    "vstack": lambda t, x: t.vstack([]),
    "interpolate": lambda t, x: t.nn.functional.interpolate(x, scale_factor=2),
    "pad": lambda t, x: t.nn.functional.pad(x, (1, 1, 1, 1, 1, 1), mode="reflect"),
    "affine_grid": lambda t, x: t.nn.functional.affine_grid(t.ones(1, 2, 3), (1, 1)),
    "kl_divergence": lambda t, x: t.distributions.kl_divergence(
        t.distributions.Normal(0.0, 1.0), t.distributions.Poisson(1.0)
    ),
    "matmul": lambda t, x: x @ x,
    "forward": lambda t, x: t.nn.Module()(x),
}  # fmt: skip


def class_of_mistake(torch, name):
    with pytest.raises(Exception) as caught:
        MISTAKES[name](torch, torch.ones(2, 3))
    return caught.type.__name__


@pytest.mark.parametrize("name", MISTAKES)
def test_the_class_has_pytorchs_name(name):
    expected = class_of_mistake(pytest.importorskip("torch"), name)
    with torch_imports.installed():
        import torch

        assert "kadam" in torch.__file__
        assert class_of_mistake(torch, name) == expected


@pytest.mark.parametrize("path", ["lr_scheduler.StepLR", "lr_scheduler.OneCycleLR", "SGD", "swa_utils.SWALR"])
def test_classes_stand_where_pytorch_has_them(path):
    import importlib

    def place(optim):
        for name in path.split("."):
            optim = getattr(optim, name)
        return repr(optim)

    expected = place(pytest.importorskip("torch.optim"))
    with torch_imports.installed():
        importlib.import_module("torch.optim.swa_utils")
        assert place(importlib.import_module("torch.optim")) == expected
