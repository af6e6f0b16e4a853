"""From a table to a folder: `kadam train`, step by step; and back from a folder to predictions."""

from __future__ import annotations

import codecs
import csv
import io
import json
import shutil
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from kadam.language import Speech
from kadam.serialization.files import replacing
from kadam.train import checkpoints
from kadam.train.tabular import fitting, report
from kadam.train.tabular.charset import OTHERWISE, charset_of
from kadam.train.tabular.columns import Column, read_columns
from kadam.train.tabular.encoded import Columns
from kadam.train.tabular.encoding import Encoder, learn, odd_cells, unseen
from kadam.train.tabular.first_steps import FirstSteps, first_steps
from kadam.train.tabular.folder import ASKED, Model
from kadam.train.tabular.leaks import tells_target
from kadam.train.tabular.notes import told
from kadam.train.tabular.reading import TableError, chunks_of, is_text
from kadam.train.tabular.scoring import Stopwatch, baselines, doubt, main_score, peak_memory_mb, scores
from kadam.train.tabular.target import Target, class_weights, split, target_of

Say = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """What `kadam train` was asked for.

    Attributes:
        source: a path or a frame.
        target: the column to predict.
        folder: where the model goes.
        task: "classification" or "regression"; None: as the target says.
        epochs: passes; None: by the size of the table.
        seed: of the split and of the training.
        overwrite: whether a model that is there may be replaced.
        resume: whether to go on with a run that was broken off.
        ignore: columns that are left out.
        charset: how text is encoded; None: as its first bytes tell.
        display: as in `Trainer.fit`.
        lang: of the report.
    """

    source: Any
    target: str
    folder: Path
    task: str | None = None
    epochs: int | None = None
    seed: int = 0
    overwrite: bool = False
    resume: bool = False
    ignore: tuple[str, ...] = ()
    charset: str | None = None
    display: str = "auto"
    lang: str = "en"


def train(job: Job, say: Say = lambda text: None) -> Model:
    """Train on a table and write the folder.

    Raises:
        TableError: the table cannot be learned from; nothing has been written then.
        KeyboardInterrupt: it was broken off; `resume` goes on.
    """
    _check_folder(job)
    clock = Stopwatch()
    charset = _charset(job.source, job.charset, OTHERWISE, say, job.lang)
    columns, total = read_columns(job.source, charset=charset)
    target_column = columns.pop(job.target, None)
    if target_column is None:
        named = ", ".join(map(repr, columns))
        hint = "" if any(map(str.isidentifier, columns)) else " Or does its first line hold no names?"
        raise TableError(f"the table has no column {job.target!r}. Fix: --target with one of {named}.{hint}")
    for name in job.ignore:
        if columns.pop(name, None) is None:
            raise TableError(f"--ignore {name!r}: the table has no such column. Fix: leave it out.")
    target, rows = target_of(target_column, job.task)
    read_s = clock.seconds()
    say(f"{total:,} rows, {len(columns) + 1} columns, read in {read_s:g} s")
    say(f"target {target.name!r}: {target.task} ({target.why})")
    if len(rows) < total:
        say(f"{total - len(rows):,} rows without a target are left out")
        columns = {name: column.take(rows) for name, column in columns.items()}
    kept, held = split(target, job.seed)
    encoder = Encoder([learn(column, kept) for column in columns.values()])
    suspects = [one.name for one in encoder.used if tells_target(columns[one.name], target, kept)]
    if not encoder.used:
        raise TableError(f"no column but {job.target!r} tells anything. Fix: add columns that differ from row to row.")
    say(report.columns_text(encoder, job.lang))
    for name in suspects:
        say(Speech(job.lang).label("train.leak", name=name))
    work = _working_folder(job)
    facts, fitted, first = _fit(job, target, columns, encoder, kept, held, work, say)
    facts |= {
        "rows": total,
        "charset": charset,
        "suspects": suspects,
        "seconds": {"reading": read_s, "all": clock.seconds()},
        "peak_memory_mb": peak_memory_mb(),
    }
    model = Model(fitted, encoder, facts)
    model.write(work, job.folder, report.page(facts, encoder, fitted.history, first, job.lang))
    return model


def _charset(source: Any, asked: str | None, otherwise: str, say: Say, lang: str = "en") -> str | None:
    """How a table's text is encoded, told of where there is a doubt; None where it is no file of text."""
    if asked is not None:
        try:
            return codecs.lookup(asked).name
        except LookupError as error:
            raise TableError(f"--encoding {asked!r}: no such encoding. Fix: cp1252, utf-16, shift_jis ...") from error
    if not is_text(source):
        return None
    found = charset_of(Path(source), otherwise)
    if found.note is not None:
        say(told([found.note], Speech(lang)))
    return found.name


def _check_folder(job: Job) -> None:
    if job.folder.exists() and not job.overwrite:
        raise TableError(f"{str(job.folder)!r} is there already. Fix: --overwrite, or another folder.")
    if not job.folder.absolute().parent.is_dir():
        raise TableError(f"{str(job.folder.absolute().parent)!r} is no folder. Fix: make it first.")
    if job.folder.exists() and not job.folder.is_dir():
        raise TableError(f"{str(job.folder)!r} is a file. Fix: give another folder.")


def _working_folder(job: Job) -> Path:
    """Where checkpoints stand while it trains. It becomes the folder at the end."""
    work = job.folder.absolute().with_name(f".{job.folder.name}.partial")
    if work.exists() and not job.resume:
        with checkpoints.held(work):  # refused if another process is at work in it
            shutil.rmtree(work)
    return work


def _check_resumed(job: Job, work: Path, learned: Columns, target: np.ndarray) -> None:
    """Note what a run is started with; refuse to go on with another table or other settings."""
    crc = 0
    for array in (*learned.arrays(), target):
        crc = zlib.crc32(np.ascontiguousarray(array).data, crc)
    asked = {"--target": job.target, "--task": job.task, "--epochs": job.epochs, "--seed": job.seed,
             "--ignore": list(job.ignore), "the table's content": crc}  # fmt: skip
    path = work / ASKED
    with suppress(OSError, ValueError):
        before = json.loads(path.read_text(encoding="utf-8"))
        for name, now in asked.items():
            if before.get(name) != now:
                told = "has changed" if name.startswith("the") else f"was {before.get(name)!r}, now it is {now!r}"
                raise checkpoints.ResumeError(
                    f"--resume: {name} {told}. Fix: go on with what the run was started with, or leave --resume out."
                )
    work.mkdir(parents=True, exist_ok=True)
    with suppress(OSError), replacing(path) as file:
        file.write(json.dumps(asked, ensure_ascii=False).encode())


def _fit(
    job: Job,
    target: Target,
    columns: dict[str, Column],
    encoder: Encoder,
    kept: np.ndarray,
    held: np.ndarray,
    work: Path,
    say: Say,
) -> tuple[dict[str, Any], fitting.Fitted, FirstSteps | None]:
    """Train, judge on the rows that were held out, and look at the first steps."""
    learned, tested = encoder.split(columns, (kept, held))
    choice = class_weights(target, kept)
    if choice is not None:
        say(report.CHOICE)
    if alone := report.untested(target, held):
        say(alone)
    _check_resumed(job, work, learned, target.values[kept])
    settings = fitting.settings_for(len(kept), encoder.numbers, len(encoder.sizes)).changed(
        epochs=job.epochs, seed=job.seed
    )
    fitted = fitting.fit(
        learned, target.values[kept], len(target.classes), settings, None, work, job.resume, job.display
    )
    if "SIGINT" in fitted.history.stopped:
        raise KeyboardInterrupt
    said = {"network": (fitted.predict(tested), choice), **baselines(target, learned, kept, held, tested, choice)}
    found = {who: scores(target, held, *one) for who, one in said.items()}
    main = main_score(target.task, choice)
    doubts = {who: doubt(target, held, said["network"], one, main) for who, one in said.items() if who != "network"}
    counts = np.bincount(target.values[kept], minlength=len(target.classes)).tolist() if target.classes else []
    facts = {
        "target": target.name,
        "task": target.task,
        "why": target.why,
        "classes": target.classes,
        "class_rows": counts,
        "choice": None if choice is None else choice.tolist(),
        "train_rows": len(kept),
        "test_rows": len(held),
        "scores": found,
        "doubts": doubts,
        "stopped": fitted.history.stopped,
    }
    return facts, fitted, _looked_at(learned, target, kept, fitted.settings)


def _looked_at(learned: Columns, target: Target, kept: np.ndarray, settings: fitting.Settings) -> FirstSteps | None:
    """The first steps under the lens; what goes wrong there costs the report a part, and no model."""
    try:
        return first_steps(learned, target.values[kept], len(target.classes), settings)
    except Exception as error:
        warnings.warn(f"the report tells nothing of single steps: {error}", stacklevel=2)
        return None


def predict(
    folder: Path,
    source: Any,
    out: Path | None,
    say: Say = lambda text: None,
    *,
    refuse_odd: bool = False,
    charset: str | None = None,
) -> int:
    """Predict for each row of a table, piece by piece; the predictions go to a CSV file, or to standard output.

    Args:
        folder: what `train` has written.
        source: a path or a frame.
        out: the file; None: standard output.
        say: is told of what is worth knowing: odd cells, unseen values.
        refuse_odd: whether a cell that is no number in a column of numbers (or no date ...) is an error; else it
            counts as missing.
        charset: how text is encoded; None: as its first bytes tell, or as the table that was learned from.

    Returns:
        How many rows there were.

    Raises:
        TableError: the folder holds no model, or the table lacks what it learned from, or has an odd cell that is
            refused. No file is written then.
    """
    model = Model.read(folder)
    if out is not None and not out.absolute().parent.is_dir():
        raise TableError(f"{str(out.absolute().parent)!r} is no folder. Fix: make it first.")
    charset = _charset(source, charset, model.facts.get("charset") or OTHERWISE, say)
    strange: dict[str, dict[str, None]] = {}
    rows = 0
    with _written(out) as file:
        writer = csv.writer(file, lineterminator="\n")
        classes = model.facts["classes"]
        for chunk in chunks_of(source, charset):
            columns, count = _of_chunk(chunk, model.encoder, rows)
            if not count:
                continue
            for column in columns.values():
                if column.odd is not None:
                    if refuse_odd:
                        raise _odd(column)
                    say(f"column {column.name!r}: {told(odd_cells(column))}")
            found = model.fitted.predict(model.encoder(columns, count))
            for name, values in unseen(model.encoder, columns).items():
                strange.setdefault(name, {}).update(dict.fromkeys(values))
            if not rows:
                writer.writerow(["prediction", *(f"probability of {one}" for one in classes)])
            writer.writerows(_lines(found, classes, model.facts.get("choice")))
            rows += count
        if not rows:
            raise TableError(f"{str(source)!r} has no rows. Fix: give a table with rows below its header.")
    for name, others in strange.items():
        some = ", ".join(map(repr, list(others)[:3]))
        counted = "1 value was" if len(others) == 1 else f"{len(others)} values were"
        say(f"column {name!r}: {counted} not seen (often) in training, such as {some}: taken as one")
    return rows


def _of_chunk(chunk: dict[str, Any], encoder: Encoder, before: int) -> tuple[dict[str, Column], int]:
    """The columns of a piece of a table; messages count rows from the table's beginning."""
    count = len(next(iter(chunk.values()))) if chunk else 0
    columns = {}
    for encoding in encoder.used:
        name = encoding.name
        if name not in chunk:
            spelled = [other for other in chunk if other.casefold() == name.casefold()]
            fix = f"rename {spelled[0]!r}" if spelled else "add it (its cells may be empty)"
            raise TableError(f"the table has no column {name!r}, which the model learned from. Fix: {fix}.")
        columns[name] = column = Column(name)
        column.first_row, column.form, column.wanted = before, encoding.form, encoding.kind
        column.add(chunk[name])
        column.finish()
        column.settle_as(encoding.kind)
    return columns, count


def _odd(column: Column) -> TableError:
    assert column.odd is not None
    _, row, text = column.odd
    return TableError(
        f"row {row}, column {column.name!r}: {text!r} is no {column.kind}. Fix: mend or empty the cell, or leave out "
        "--refuse-odd: it then counts as missing."
    )


def _lines(found: np.ndarray, classes: list[str], choice: list[float] | None) -> Iterator[list[Any]]:
    if classes:
        weighed = found if choice is None else found * choice
        for best, row in zip(weighed.argmax(1).tolist(), found.tolist(), strict=True):
            yield [classes[best], *(f"{one:.6g}" for one in row)]
    else:
        for value in found.tolist():
            yield [f"{value:.9g}"]


@contextmanager
def _written(out: Path | None) -> Iterator[IO[str]]:
    """A text file that appears once it is complete; or standard output."""
    if out is None:
        yield sys.stdout
        return
    with replacing(out) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        yield text
        text.flush()
        text.detach()
