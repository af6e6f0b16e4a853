"""Half precision: what PyTorch computes in single precision inside, and rounds once, has PyTorch's very bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import kadam

torch = pytest.importorskip("torch")

FORWARD: dict[str, Callable[[Any, Any, Any], Any]] = {
    "times a number": lambda m, x, y: x * 0.01,
    "divided by a number": lambda m, x, y: x / 0.3,
    "a number divided": lambda m, x, y: 0.3 / x,
    "times a tensor without axes": lambda m, x, y: x * y.float().mean(),
    "plus a number": lambda m, x, y: x + 0.1,
    "a number minus": lambda m, x, y: 0.1 - x,
    "in place": lambda m, x, y: x.clone().mul_(0.9).add_(y, alpha=0.5),
    "addcmul": lambda m, x, y: x.addcmul(y, y, value=0.5),
    "addcdiv": lambda m, x, y: x.addcdiv(y, x.abs() + 1, value=0.5),
    "gelu": lambda m, x, y: m.nn.functional.gelu(x, approximate="tanh"),
    "silu": lambda m, x, y: m.nn.functional.silu(x),
    "mish": lambda m, x, y: m.nn.functional.mish(x),
    "hardswish": lambda m, x, y: m.nn.functional.hardswish(x),
    "hardsigmoid": lambda m, x, y: m.nn.functional.hardsigmoid(x),
    "softplus": lambda m, x, y: m.nn.functional.softplus(x),
    "leaky_relu": lambda m, x, y: m.nn.functional.leaky_relu(x),
    "elu": lambda m, x, y: m.nn.functional.elu(x, 0.7),
    "selu": lambda m, x, y: m.nn.functional.selu(x),
    "glu": lambda m, x, y: m.nn.functional.glu(x),
    "logsigmoid": lambda m, x, y: m.nn.functional.logsigmoid(x),
    "smooth_l1_loss": lambda m, x, y: m.nn.functional.smooth_l1_loss(x, y, reduction="none"),
    "logaddexp": lambda m, x, y: m.logaddexp(x, y),
    "avg_pool2d": lambda m, x, y: m.nn.functional.avg_pool2d(x[None], 3),
    "adaptive_avg_pool2d": lambda m, x, y: m.nn.functional.adaptive_avg_pool2d(x[None], (5, 7)),
    "interpolate": lambda m, x, y: m.nn.functional.interpolate(x[None, None], (11, 13), mode="bilinear"),
    "std": lambda m, x, y: x.std(1),
    "var": lambda m, x, y: x.var(1, correction=0),
    "vector_norm": lambda m, x, y: m.linalg.vector_norm(x, dim=1),
    "normalize": lambda m, x, y: m.nn.functional.normalize(x),
    "layer_norm": lambda m, x, y: m.nn.functional.layer_norm(x, (24,)),
    "linear": lambda m, x, y: m.nn.functional.linear(x, y, y[:, 0]),
}
BACKWARD = ("times a number", "divided by a number", "silu", "mish", "hardswish", "leaky_relu", "elu", "softplus")
ROUGHLY = (  # to a last bit
    "logaddexp", "layer_norm", "normalize", "gelu", "linear", "interpolate", "std", "var", "mish", "smooth_l1_loss",
)  # fmt: skip


def _run(m: Any, function: Callable[[Any, Any, Any], Any], kind: str) -> tuple[Any, Any]:
    torch.manual_seed(3)
    drawn = torch.randn(24, 24), torch.randn(24, 24)
    x, y = (m.tensor(one.tolist()).to(getattr(m, kind)) for one in drawn)
    x.requires_grad_()
    found = function(m, x, y)
    found.sum().backward()
    return found.detach().float().tolist(), x.grad.float().tolist()


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", FORWARD)
def test_half_precision_rounds_once(name: str, kind: str) -> None:
    if name == "smooth_l1_loss" and kind == "float16":
        pytest.skip("PyTorch has no such kernel for it, and rounds the difference too")
    (found, slope), (expected, theirs) = (_run(m, FORWARD[name], kind) for m in (kadam, torch))
    if name in ROUGHLY:
        step = 2.0**-7 if kind == "bfloat16" else 2.0**-10
        assert torch.allclose(torch.tensor(found), torch.tensor(expected), rtol=step, atol=step / 64)
        assert (torch.tensor(found) != torch.tensor(expected)).float().mean() < 0.02
    else:
        assert found == expected
    if name in BACKWARD and kind == "bfloat16":
        assert slope == theirs
