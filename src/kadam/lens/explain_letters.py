"""The numbers of an optimizer's rule as textbooks write them.

A rule is given some numbers ready computed, `1 - beta1 ** t` say. What they are called here, readers find in the paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MEANS = {"fresh1": "(1 − β₁)", "keep2": "β₂", "fresh2": "(1 − β₂)"}  # of running means
_ADAM = _MEANS | {"step_size": "(lr/(1 − β₁ᵗ))", "grow_root2": "(1/√(1 − β₂ᵗ))"}
_SHRUNK = "(1 − lr · weight_decay)"
_LETTERS: dict[str, dict[str, str]] = {
    "Adam": _ADAM,
    "AdamW": _ADAM,
    "Adamax": _ADAM,
    "SparseAdam": _MEANS | {"step_size": "(lr · √(1 − β₂ᵗ)/(1 − β₁ᵗ))"},
    "NAdam": _MEANS | {
        "bias2": "(1 − β₂ᵗ)",
        "grad_rate": "(lr · (1 − μₜ)/(1 − μ₁···μₜ))",
        "mean_rate": "(lr · μₜ₊₁/(1 − μ₁···μₜ₊₁))",
    },
    "RAdam": _MEANS | {"bias1": "(1 − β₁ᵗ)", "scale": "(rₜ · √(1 − β₂ᵗ))"},
    "RMSprop": {"keep": "α", "fresh": "(1 − α)"},
    "Adadelta": {"keep": "ρ", "fresh": "(1 − ρ)"},
    "ASGD": {"eta": "η", "mu": "μ", "keep": "(1 − lambd · η)"},
    "Muon": {"keep": _SHRUNK, "fresh": "(1 − momentum)"},
    "Adafactor": {"keep": _SHRUNK, "rate": "min(lr, 1/√t)", "fresh": "(t^beta2_decay)"},
}  # fmt: skip
EXPLAINED = {"NAdam": "μₜ", "RAdam": "rₜ"}  # optimizers with a letter that needs a sentence of its own


def letter(optimizer: str, name: str, value: float, group: Mapping[str, Any]) -> str | None:
    """How books write a number of a rule; None if the rule's own name for it is the one they use.

    Args:
        optimizer: its class.
        name: what the rule calls the number.
        value: the number.
        group: the settings it was computed from.
    """
    if name == "amount":  # of a weight decay: within the gradient, or beside the step
        beside = optimizer == "AdamW" or group.get("decoupled_weight_decay")
        return _SHRUNK if beside else "weight_decay"
    if name == "share" and optimizer == "SGD":  # of the gradient in the velocity; the first step takes all of it
        return "1" if value == 1 else "(1 − dampening)"
    if name == "lr" and group.get("lr_decay"):
        return "(lr/(1 + (t − 1) · lr_decay))"
    return _LETTERS.get(optimizer, {}).get(name)
