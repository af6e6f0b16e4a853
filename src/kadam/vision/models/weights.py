"""What all networks do about trained weights, which Kadam has none of."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from kadam import nn
from kadam.errors import UnsupportedError


def refuse_trained(name: str, weights: Any, pretrained: bool) -> None:
    """Raise where a network is asked for with trained weights.

    Raises:
        UnsupportedError: it is.
    """
    if weights is not None or pretrained:
        raise UnsupportedError(
            f"{name}: Kadam downloads no trained weights. Fix: weights=None, then "
            "model.load_state_dict(torch.load(path)) with the file of PyTorch's weights."
        )


def trained_weights(network: str, *versions: str) -> type[Enum]:
    """The enumeration of a network's trained weights, whose members scripts name: `DEFAULT` is the last version."""
    members = {version: f"{network}.{version}" for version in versions}
    return Enum(f"{network}_Weights", {**members, "DEFAULT": members[versions[-1]]})  # type: ignore[return-value]


def draw_convolutions(network: nn.Module, linear: Callable[[nn.Linear], None] | None = None) -> None:
    """Give convolutions weights as He's scheme has them, for what they give out; norms are 1 and 0.

    Args:
        network: whose layers these are.
        linear: what to do with its linear layers.

    Source: He et al. 2015, Delving Deep into Rectifiers.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d | nn.GroupNorm) and layer.weight is not None:
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        elif isinstance(layer, nn.Linear) and linear is not None:
            linear(layer)
