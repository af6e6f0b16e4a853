"""What a checkpoint holds of a run: everything that decides the next number; and the way back from it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kadam.train import checkpoints
from kadam.train.plan import Place

if TYPE_CHECKING:
    from kadam.train.run import Run


def of(run: Run) -> dict[str, Any]:
    """The run between two steps."""
    trainer = run.trainer
    scheduler = trainer.scheduler
    return {
        "format": checkpoints.FORMAT,
        "model": checkpoints.weights_of(trainer.model),
        "optimizer": trainer.optimizer.state_dict(),
        "scheduler": None if scheduler is None else scheduler.state_dict(),
        "generators": checkpoints.generator_states(run.own),
        "epoch_start": run.epoch_start,
        "place": vars(run.place),
        "history": json.dumps(run.history.rows),
        "best_row": run.history.best,
        "counts": checkpoints.program_counts(),
        "metrics": [checkpoints.with_tensors(one.gathered()) for one in trainer.metrics] if run.gathers else [],
        "callbacks": json.dumps([one.state_dict() for one in trainer.callbacks]),
        "setup": _setup(run),
    }


def of_best(weights: dict[str, Any] | None, place: Place) -> dict[str, Any]:
    """The weights of the best epoch so far, which the place tells of."""
    return {"format": checkpoints.FORMAT, "model": weights, "epoch": place.epoch + 1, "value": place.best}


def restored(run: Run, content: dict[str, Any]) -> None:
    """Let a run stand where a checkpoint was written.

    Raises:
        ResumeError: it was started with other settings.
    """
    trainer = run.trainer
    for name, found in _setup(run).items():
        if content["setup"].get(name) != found:
            raise checkpoints.ResumeError(
                f"resume: {name} was {content['setup'].get(name)!r}, now it is {found!r}. Fix: resume with what "
                "the run was started with, or start in another folder."
            )
    trainer.model.load_state_dict(content["model"])
    trainer.optimizer.load_state_dict(content["optimizer"])
    if trainer.scheduler is not None:
        trainer.scheduler.load_state_dict(content["scheduler"])
    for callback, saved in zip(trainer.callbacks, json.loads(content["callbacks"]), strict=True):
        callback.load_state_dict(saved)
    run.place = Place(**content["place"])
    run.history.rows[:] = json.loads(content["history"])
    run.history.best = content["best_row"]
    checkpoints.carry_counts(content["counts"])
    if run.place.batch:
        run.gathered = checkpoints.with_arrays(content["metrics"])
        run.epoch_start, run.mid_epoch = content["epoch_start"], content["generators"]
        checkpoints.restore_generators(content["epoch_start"], run.own)
    else:
        checkpoints.restore_generators(content["generators"], run.own)


def _setup(run: Run) -> dict[str, Any]:
    """What must be the same for a run to go on."""
    trainer = run.trainer
    return {
        "optimizer": type(trainer.optimizer).__name__,
        **{
            f"optimizer's {name}": repr(value)
            for name, value in trainer.optimizer.defaults.items()
            if isinstance(value, int | float | str | tuple | None)
        },
        "loss": _name(trainer.loss),
        "clip_norm": trainer.clip_norm,
        "clip_value": trainer.clip_value,
        "scheduler": type(trainer.scheduler).__name__,
        "batches in an epoch": len(run.data),
        "rows in a batch": getattr(run.data, "batch_size", None),
        "accumulate": trainer.accumulate,
        "callbacks": len(trainer.callbacks),
    }


def _name(one: Any) -> str:
    """Of a module or a function."""
    return str(getattr(one, "__name__", type(one).__name__))
