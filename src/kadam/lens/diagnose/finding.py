"""A finding: what is wrong, by which evidence, where, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from kadam import language
from kadam.ir.graph import Source

Value = int | float | str

# The parts of a finding, in the order in which they are told; each is a text `diagnose.<kind>.<part>` of the catalogue.
PARTS = ("cause", "evidence", "fix", "unless")

# Causes first: what breaks the loop, what cuts or freezes, what is computed wrongly; then what only shows in how the
# training goes. Findings are told in this order.
ORDER = (
    "nan_or_inf",
    "missing_backward",
    "missing_step",
    "cleared_gradients",
    "forgotten_zero_grad",
    "graph_cut",
    "in_place_damage",
    "backward_twice",
    "parameters_not_in_optimizer",
    "target_broadcast",
    "class_axis",
    "channels_mixed",
    "target_in_inputs",
    "batch_mixed",
    "unread_inputs",
    "softmax_before_cross_entropy",
    "sigmoid_before_bce_with_logits",
    "softmax_axis",
    "nll_without_log_softmax",
    "bce_without_sigmoid",
    "output_activation",
    "dropout_on_output",
    "wrong_sign",
    "copy_never_follows",
    "frozen_by_mistake",
    "symmetric_initialisation",
    "constant_inputs",
    "constant_targets",
    "training_in_evaluation_mode",
    "evaluation_in_training_mode",
    "evaluation_scaled_otherwise",
    "sorted_labels",
    "unscaled_inputs",
    "unscaled_targets",
    "batchnorm_tiny_batches",
    "scheduler_before_optimizer",
    "schedule_too_fast",
    "optimizer_remade",
    "unused_parameters",
    "weight_decay_too_high",
    "dropout_too_high",
    "clip_before_backward",
    "clipped_away",
    "exploding_gradients",
    "learning_rate_too_high",
    "vanishing_gradients",
    "dead_relus",
    "learning_rate_too_low",
    "program_fails",
    "nothing_learnt",
)

# What shows in how the training goes follows from any of the causes above it: it is told only if none was found.
SYMPTOMS = frozenset(
    {
        "dead_relus",
        "exploding_gradients",
        "vanishing_gradients",
        "learning_rate_too_high",
        "learning_rate_too_low",
        "program_fails",
        "nothing_learnt",
    }
)


@dataclass(frozen=True)
class Finding:
    """Something that keeps a program from learning.

    Attributes:
        kind: one of `ORDER`.
        source: the program's line to look at; None if no line is known.
        values: what the texts name: numbers of the evidence, names, lines.
        also: further lines that belong to it.
        follows: whether another finding, if there is one, is its reason.
        variant: which of a kind's texts speak, where it has several for a part.
    """

    kind: str
    source: Source | None
    values: Mapping[str, Value] = field(default_factory=dict)
    also: tuple[Source, ...] = ()
    follows: bool = False
    variant: str = ""

    def text(self, part: str, say: language.Speech) -> str:
        """The cause, the evidence, the fix, or what would make it a false alarm."""
        key, known = f"diagnose.{self.kind}.{part}", language.keys()
        own = f"{key}_{self.variant}"
        return say(own if own in known else key, **self._shown())

    def title(self, say: language.Speech) -> str:
        """A few words that name it."""
        return say.label(f"diagnose.{self.kind}.title")

    def _shown(self) -> dict[str, str | int]:
        shown: dict[str, str | int] = {}
        for name, value in self.values.items():
            shown[name] = language.number(value) if isinstance(value, float) else value
        return shown


def ranked(findings: list[Finding]) -> list[Finding]:
    """The findings in the order in which they are told, one per kind and line; of mere symptoms the first only.

    NaN that comes of a line with another finding follows from it (a softmax over an axis that is masked whole).
    """
    lines = {one.source for one in findings if one.kind not in (*SYMPTOMS, "nan_or_inf") and not one.follows}
    explained = (one.kind == "nan_or_inf" and one.source is not None and one.source in lines for one in findings)
    findings = [replace(one, follows=one.follows or why) for one, why in zip(findings, explained, strict=True)]
    unique = {(one.kind, one.source): one for one in reversed(findings)}
    found = sorted(unique.values(), key=lambda one: (one.follows, ORDER.index(one.kind)))
    causes = [one for one in found if one.kind not in SYMPTOMS and not one.follows]
    symptoms = [one for one in found if one.kind in SYMPTOMS]
    return [*(causes or symptoms[:1]), *(one for one in found if one.follows)]
