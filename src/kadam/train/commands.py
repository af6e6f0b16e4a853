"""The commands `kadam train`, `kadam predict` and `kadam report`."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from kadam.errors import KadamError
from kadam.language import Speech
from kadam.language.option import Lang


def train(
    data: Annotated[Path, typer.Argument(help="A table: .csv, .tsv, .jsonl, .parquet; text also with .gz.")],
    target: Annotated[str, typer.Option("--target", "-t", help="The column to predict.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The folder to write; else the table's name.")] = None,
    task: Annotated[
        Literal["classification", "regression"] | None, typer.Option(help="What to do, if the target leaves a doubt.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the table; else by its size.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="A column to leave out; may be given again.")] = None,
    encoding: Annotated[
        str | None, typer.Option(help="How the text is encoded, such as cp1252 or shift_jis, if not as it seems.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the split into training and test, and of the training.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the folder if it is there.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was broken off.")] = False,
    lang: Lang = None,
) -> None:
    """Learn to predict a column of a table; nothing needs to be set."""
    from rich.console import Console

    from kadam.train.tabular import job, report

    folder = out or data.with_name(data.name.split(".")[0] + "-model")
    asked = job.Job(
        data, target, folder, task, epochs, seed, overwrite, resume, tuple(ignore or ()), encoding, lang=lang or "en"
    )
    told = f"Broken off. To go on: the same command with --resume (checkpoints: .{folder.name}.partial)."
    with _errors_told(told, ", then the same command with --resume"):
        model = job.train(asked, typer.echo)
        console = Console()
        console.print(report.scores_table(model.facts))
        typer.echo(report.verdict(model.facts, Speech(asked.lang).label))
        seconds, memory = model.facts["seconds"]["all"], model.facts["peak_memory_mb"]
        typer.echo(f"{seconds:g} s" + (f", at most {memory:,.0f} MB of memory" if memory else ""))
        typer.echo(f"wrote {folder}/ (report.html, model.json, weights.pt, history.csv)")


def predict(
    folder: Annotated[Path, typer.Argument(help="What `kadam train` has written.")],
    data: Annotated[Path, typer.Argument(help="A table with the columns that it was trained on.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A CSV file; else standard output.")] = None,
    refuse_odd: Annotated[
        bool, typer.Option("--refuse-odd", help="End at a cell that is no number where one is due; else it is missing.")
    ] = False,
    encoding: Annotated[
        str | None, typer.Option(help="How the text is encoded, if not as it seems, or as that of the training was.")
    ] = None,
) -> None:
    """Predict for each row of a table."""
    from kadam.train.tabular import job

    with _errors_told("Broken off; nothing was written."):
        rows = job.predict(
            folder, data, out, lambda text: typer.echo(text, err=True), refuse_odd=refuse_odd, charset=encoding
        )
        if out is not None:
            typer.echo(f"wrote {rows:,} predictions to {out}")


def report(folder: Annotated[Path, typer.Argument(help="What `kadam train` has written.")], lang: Lang = None) -> None:
    """Tell of a trained model: its columns, its scores beside those of baselines, how training went."""
    from rich.console import Console

    from kadam.train.tabular import report as told
    from kadam.train.tabular.folder import REPORT, Model

    with _errors_told("Broken off."):
        model = Model.read(folder)
        facts = model.facts
        typer.echo(f"target {facts['target']!r}: {facts['task']} ({facts['why']})")
        typer.echo(f"{facts['train_rows']:,} rows to learn from, {facts['test_rows']:,} held out; "
                   f"trained with Kadam {facts['versions']['kadam']}")  # fmt: skip
        typer.echo(told.columns_text(model.encoder, lang or "en"))
        Console().print(told.scores_table(facts))
        typer.echo(told.verdict(facts, Speech(lang or "en").label))
        typer.echo(f"the page: {folder / REPORT}")


@contextmanager
def _errors_told(broken_off: str, then: str = "") -> Iterator[None]:
    """Errors of the user's table or disk as one message and exit code 1; Ctrl-C as 130; warnings as one line."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _tell
            yield
    except KadamError as error:
        typer.echo(f"kadam: {error}", err=True)
        raise typer.Exit(1) from error
    except BrokenPipeError:  # who reads standard output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(141) from None
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        typer.echo(f"kadam: {error.strerror or error}{where}. Fix: see to the disk{then}.", err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        typer.echo(broken_off, err=True)
        raise typer.Exit(130) from None
    finally:
        sys.stdout.flush()


def _tell(message: Warning | str, *rest: Any, **more: Any) -> None:
    typer.echo(f"kadam: {message}", err=True)
