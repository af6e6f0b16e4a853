"""Which epoch was the best, and whether a run has come far enough."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from kadam.train.history import Row
from kadam.train.metrics import Metric
from kadam.train.plan import Place, Plan


def is_best(row: Row, plan: Plan, place: Place, metrics: Sequence[Metric]) -> bool:
    """Whether the monitored value is the best so far; noted in the place, as is how long there was none.

    Raises:
        KeyError: there is no such value.
    """
    if plan.monitor not in row:
        raise KeyError(f"fit: monitor {plan.monitor!r} is no column; there are {', '.join(row)}. Fix: one of them.")
    value, sign = row[plan.monitor], 1 if _more_is_better(plan.monitor, metrics) else -1
    if value == value and (place.best is None or sign * (value - place.best) > plan.min_delta):
        place.best, place.best_epoch, place.waited = value, place.epoch, 0
        return True
    place.waited += 1
    return False


def why(row: Row, plan: Plan, place: Place, metrics: Sequence[Metric], looked: bool) -> str:
    """Why a run ends after an epoch; empty if it goes on.

    Args:
        row: of the epoch.
        plan, place: what was asked for, and where the run stands.
        metrics: that have been taken.
        looked: whether the validation data was looked at, if there is any.

    Raises:
        KeyError: `until` names what is no column.
    """
    missing = [name for name in plan.until if name not in row]
    if missing and looked:
        near = [name for name in row if name == f"val_{missing[0]}"] or get_close_matches(missing[0], row, 1)
        fix = f"until={{{near[0]!r}: ...}}" if near else "one of these"
        raise KeyError(f"fit: until names {missing[0]!r}, which is no column; there are {', '.join(row)}. Fix: {fix}.")
    reached = [] if missing else [
        row[name] >= bound if _more_is_better(name, metrics) else row[name] <= bound
        for name, bound in plan.until.items()
    ]  # fmt: skip
    if reached and all(reached):
        return "reached " + ", ".join(f"{name} {row[name]:.4g}" for name in plan.until)
    if plan.patience is not None and place.waited >= plan.patience:
        return f"{plan.monitor} has not become better in {place.waited} epochs"
    return f"{place.epoch} epochs are done" if place.epoch >= plan.epochs else ""


def _more_is_better(column: str, metrics: Sequence[Metric]) -> bool:
    name = column.removeprefix("val_")
    return any(metric.name == name and metric.more_is_better for metric in metrics)
