"""The folder of a trained table: weights, preprocessing, settings, scores, history, report. Whole, or not there."""

from __future__ import annotations

import json
import os
import platform
import shutil
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np

from kadam.recording.tensor import from_array
from kadam.serialization import load, save
from kadam.serialization.files import replacing
from kadam.train.tabular.encoding import Encoder
from kadam.train.tabular.fitting import Fitted, Settings
from kadam.train.tabular.linear import Line
from kadam.train.tabular.network import Shape, TableNet
from kadam.train.tabular.reading import TableError

FORMAT = 4
WEIGHTS, MODEL, HISTORY, REPORT = "weights.pt", "model.json", "history.csv", "report.html"
ASKED = "asked.json"  # of a run that is under way: what it was started with


class Model:
    """A trained table, as its folder holds it.

    Attributes:
        fitted: the network.
        encoder: how columns are encoded.
        facts: everything else: target, classes, settings, scores, versions.
    """

    def __init__(self, fitted: Fitted, encoder: Encoder, facts: dict[str, Any]) -> None:
        self.fitted = fitted
        self.encoder = encoder
        self.facts = facts

    def write(self, work: Path, folder: Path, report: str) -> None:
        """Write all files into the working folder, and give it the folder's name once it is complete."""
        work.mkdir(parents=True, exist_ok=True)
        line = self.fitted.line
        save(
            {"network": self.fitted.net.state_dict(), "line": None if line is None else from_array(line.weights)},
            work / WEIGHTS,
        )
        facts = self.facts | {
            "format": FORMAT,
            "versions": versions(),
            "shape": asdict(self.fitted.net.shape),
            "settings": asdict(self.fitted.settings),
            "center": self.fitted.center,
            "scale": self.fitted.scale,
            "share_of_line": self.fitted.share,
            "preprocessing": self.encoder.to_json(),
        }
        _write(work / MODEL, json.dumps(facts, indent=1, ensure_ascii=False))
        _write(work / HISTORY, self.fitted.history.to_text())
        _write(work / REPORT, report)
        shutil.rmtree(work / "checkpoints", ignore_errors=True)
        for extra in ("best.pt", ASKED):
            with suppress(OSError):
                (work / extra).unlink()
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(work, folder)

    @staticmethod
    def read(folder: Path) -> Model:
        """The model of a folder.

        Raises:
            TableError: the folder is none, or something in it is damaged.
        """
        try:
            facts = json.loads((folder / MODEL).read_text(encoding="utf-8"))
            if facts["format"] != FORMAT:
                by = facts["versions"]["kadam"]
                raise TableError(f"{str(folder)!r} was written by Kadam {by} in another form. Fix: train again.")
            shape = facts["shape"] | {"categories": tuple(facts["shape"]["categories"])}
            net = TableNet(Shape(**shape))
            weights = load(folder / WEIGHTS)
            line = weights["line"]
            net.load_state_dict(weights["network"])
        except FileNotFoundError as error:
            raise TableError(
                f"{str(folder)!r} holds no trained model ({Path(str(error.filename)).name} is missing). Fix: give the "
                "folder that `kadam train` has written."
            ) from error
        except (ValueError, KeyError, TypeError, RuntimeError, EOFError, UnpicklingError) as error:
            if isinstance(error, TableError):
                raise
            raise TableError(f"{str(folder)!r} is damaged: {str(error).splitlines()[0]} Fix: train again.") from error
        fitted = Fitted(
            net.eval(), len(facts["classes"]), facts["center"], facts["scale"], Settings(**facts["settings"])
        )
        fitted.line = None if line is None else Line(line.numpy(), bool(facts["classes"]))
        fitted.share = facts["share_of_line"]
        return Model(fitted, Encoder.from_json(facts["preprocessing"]), facts)


def _write(path: Path, text: str) -> None:
    with replacing(path) as file:
        file.write(text.encode())


def versions() -> dict[str, str]:
    """What this was made with."""
    from importlib.metadata import version

    return {"kadam": version("kadam"), "python": platform.python_version(), "numpy": np.__version__}
