"""Checkpoints of runs: files that are whole or not there, the newest two of them, the best one beside them."""

from __future__ import annotations

import json
import os
import pickle
import random
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from kadam.errors import KadamError
from kadam.nn.modules.module import Module
from kadam.recording import counts
from kadam.recording.generator import Generator, default_generator
from kadam.recording.step import state
from kadam.recording.tensor import from_array, read
from kadam.serialization import load, save
from kadam.serialization.files import replacing
from kadam.tensor import Tensor
from kadam.train.history import History

try:
    import fcntl
except ImportError:  # not there on Windows
    fcntl = None  # type: ignore[assignment]

KEPT = 2
FORMAT = 1


class CheckpointWarning(UserWarning):
    """A checkpoint that could not be written or read; the run goes on."""


class ResumeError(KadamError, RuntimeError):
    """A run that cannot go on from what its folder holds."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder is ours in this block, and no other run's. However a process ends, the system lets its folder go.

    Raises:
        ResumeError: another run writes into it.
    """
    if fcntl is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    at = os.open(folder, os.O_RDONLY)  # the folder itself: a file of a lock's own would have to be taken away again
    try:
        try:
            fcntl.flock(at, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ResumeError(
                f"fit: another run is writing into {str(folder)!r}. Fix: wait until it has ended, or give another "
                "folder."
            ) from None
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(at)


class Folder:
    """The checkpoints of one run: `checkpoints/step-<count>.pt` and `best.pt`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.best = self.path / "best.pt"
        self._steps = self.path / "checkpoints"

    def prepare(self) -> None:
        """Make the folder and remove what a killed process has left half-written."""
        self._steps.mkdir(parents=True, exist_ok=True)
        for draft in (*self.path.glob(".kadam-*.tmp"), *self._steps.glob(".kadam-*.tmp")):
            with suppress(OSError):
                draft.unlink()

    def saved(self) -> list[Path]:
        """The checkpoints that are there, newest first."""
        found = [one for one in self._steps.glob("step-*.pt") if re.fullmatch(r"step-\d+\.pt", one.name)]
        return sorted(found, reverse=True)

    def save(self, step: int, content: dict[str, Any]) -> bool:
        """Write a checkpoint and drop old ones. On a full disk the older ones stay, and False is returned."""
        path = self._steps / f"step-{step:012d}.pt"
        if not written(path, content):
            return False
        for old in self.saved()[KEPT:]:
            with suppress(OSError):
                old.unlink()
        return True

    def newest(self) -> dict[str, Any] | None:
        """What the newest checkpoint holds that can be read; damaged ones are told of and passed over."""
        for path in self.saved():
            content = readable(path)
            if content is not None:
                return content
        return None


def written(path: Path, content: Any) -> bool:
    """Whether a file could be written; if not, what stood there stays, and a warning tells why."""
    try:
        save(content, path)
    except OSError as error:
        warnings.warn(
            f"checkpoint {str(path)!r} could not be written ({error.strerror or error}); the last one stays, and "
            "training goes on. Fix: make room on the disk.",
            CheckpointWarning,
            stacklevel=3,
        )
        return False
    return True


def readable(path: Path) -> dict[str, Any] | None:
    """What a checkpoint holds; None, with a warning, if it is damaged."""
    try:
        content = load(path)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ResumeError("it holds no run")
        return content
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError, KeyError) as error:
        warnings.warn(
            f"checkpoint {str(path)!r} is damaged and passed over: {str(error).splitlines()[0]}",
            CheckpointWarning,
            stacklevel=3,
        )
        return None


def weights_of(model: Module) -> dict[str, Any]:
    """A model's state, to be written at once: its tensors share the parameters' memory, which nobody notices.

    `state_dict()` gives views of the parameters instead, and a parameter that may have views is updated with more care.
    """
    seen: dict[int, Tensor] = {}
    return {
        name: seen.setdefault(id(one), from_array(read(one))) if isinstance(one, Tensor) else one
        for name, one in model.state_dict(keep_vars=True).items()
    }


def generator_states(own: Sequence[Generator]) -> dict[str, Any]:
    """Where all random numbers stand: Kadam's default generator, those of the data, Python's and NumPy's."""
    legacy = np.random.get_state(legacy=False)
    return {
        "kadam": [from_array(one.state_bytes()) for one in (default_generator, *own)],
        "python": json.dumps(random.getstate()),
        "numpy": from_array(legacy["state"]["key"].copy()),
        "numpy_rest": [legacy["state"]["pos"], legacy["has_gauss"], legacy["gauss"]],
    }


def restore_generators(states: dict[str, Any], own: Sequence[Generator]) -> None:
    """Let all random numbers go on from where they stood."""
    if len(states["kadam"]) != 1 + len(own):
        raise ResumeError(
            f"resume: the data has {len(own)} generators of its own, the checkpoint was written with "
            f"{len(states['kadam']) - 1}. Fix: give the data as it was given."
        )
    for generator, saved in zip((default_generator, *own), states["kadam"], strict=True):
        generator.set_state(saved)
    version, words, gauss = json.loads(states["python"])
    random.setstate((version, tuple(words), gauss))
    position, has_gauss, gaussian = states["numpy_rest"]
    np.random.set_state(("MT19937", states["numpy"].numpy(), position, has_gauss, gaussian))


def with_tensors(value: Any) -> Any:
    """Arrays as tensors, which a checkpoint can hold, wherever they stand in lists and dicts."""
    if isinstance(value, np.ndarray):
        return from_array(value.copy())
    if isinstance(value, dict):
        return {name: with_tensors(one) for name, one in value.items()}
    return [with_tensors(one) for one in value] if isinstance(value, list) else value


def with_arrays(value: Any) -> Any:
    """The same the other way round."""
    if isinstance(value, Tensor):
        return value.numpy()
    if isinstance(value, dict):
        return {name: with_arrays(one) for name, one in value.items()}
    return [with_arrays(one) for one in value] if isinstance(value, list) else value


def program_counts() -> dict[str, int]:
    """How often the programs of this thread have run."""
    return counts.taken(root for roots in state.roots_by_region.values() for root in roots.values())


carry_counts = counts.carry


def history_written(path: Path, history: History) -> None:
    """Write the history beside the checkpoints; a full disk is no reason to end."""
    with suppress(OSError), replacing(path) as file:
        file.write(history.to_text().encode())
