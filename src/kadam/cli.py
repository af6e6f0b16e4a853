"""The `kadam` command."""

from __future__ import annotations

import importlib.metadata
from typing import Annotated

import typer

from kadam.language.option import Lang
from kadam.train import commands

app = typer.Typer(
    help="Kadam trains neural networks: it runs PyTorch scripts unchanged.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """What the command `kadam` calls."""
    app()


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kadam {importlib.metadata.version('kadam')}")
        raise typer.Exit


@app.callback()
def kadam(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Kadam trains neural networks: it runs PyTorch scripts unchanged."""


# What stands behind the program's name is the program's own, options too.
BESIDE = {"allow_interspersed_args": True, "ignore_unknown_options": True}  # what is no option of ours is the program's


@app.command(context_settings={"allow_interspersed_args": False})
def run(
    program: Annotated[str, typer.Argument(metavar="PROGRAM", help="A script's path, or - for standard input.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="What the program finds in sys.argv.")] = None,
    is_module: Annotated[
        bool, typer.Option("-m", help="PROGRAM is the name of a module, as after `python -m`.")
    ] = False,
    show_profile: Annotated[
        bool, typer.Option("--profile", help="At the end, show where compiled steps spent their time, by kernel.")
    ] = False,
    report: Annotated[
        str, typer.Option("--report", metavar="FILE", help="Watch the run, and write a page that tells how it went.")
    ] = "",
    lang: Lang = None,
) -> None:
    """Run a program in which `import torch` is Kadam.

    Set KADAM_TRACEBACK=full to see Kadam's own code in tracebacks too. `--report FILE` may also stand behind a program
    that has no such option of its own.
    """
    from kadam import script

    if report or "--report" in (arguments or []):
        from kadam.lens import ways

        wish = ways.ReportWish(program, arguments or [], is_module, report, lang or "en").sorted_out()
        if wish.output:
            raise typer.Exit(ways.report(wish))
    run_program = script.run_module if is_module else script.run_file
    if not show_profile:
        raise typer.Exit(run_program(program, arguments or []))
    from kadam.native import profile

    profile.start()
    code = run_program(program, arguments or [])
    typer.echo(profile.table(), err=True)
    raise typer.Exit(code)


@app.command(context_settings=BESIDE)
def draw(
    program: Annotated[str, typer.Argument(metavar="PROGRAM", help="A script's path.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="What the program finds in sys.argv.")] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", help="An SVG, or a page (.html) whose blocks open.")
    ] = "step.svg",
    step: Annotated[int, typer.Option("--step", help="Which training step to draw, from 0.")] = 0,
    opened: Annotated[str, typer.Option("--open", help="The path of a module to open in the SVG, or all.")] = "",
    is_module: Annotated[bool, typer.Option("-m", help="PROGRAM is the name of a module.")] = False,
    lang: Lang = None,
) -> None:
    """Run a program and draw one of its training steps: input -> layers -> loss and back.

    Where the program fails before, the step is drawn up to the fault.
    """
    from kadam.lens import ways

    raise typer.Exit(ways.draw(program, arguments or [], is_module, step, output, opened, lang or "en"))


@app.command(context_settings=BESIDE)
def explain(
    program: Annotated[str, typer.Argument(metavar="PROGRAM", help="A script's path, or - for standard input.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="What the program finds in sys.argv.")] = None,
    step: Annotated[int, typer.Option("--step", metavar="N", min=0, help="Which training step, from 0.")] = 0,
    weight: Annotated[
        str | None,
        typer.Option(
            "--weight", metavar="NAME", help="Whose gradient is followed: fc1.weight[2,0]; else the steepest."
        ),
    ] = None,
    html: Annotated[str | None, typer.Option("--html", metavar="FILE", help="Write a page instead.")] = None,
    is_module: Annotated[
        bool, typer.Option("-m", help="PROGRAM is the name of a module, as after `python -m`.")
    ] = False,
    lang: Lang = None,
) -> None:
    """Run a program up to one of its training steps, and tell that step with its own numbers.

    Forward pass, loss, backward pass (the chain rule for one weight), update, and what the update did to the loss.
    """
    from kadam.lens import explain_way

    raise typer.Exit(explain_way.tell(program, arguments or [], is_module, step, weight, html, lang or "en"))


@app.command(context_settings=BESIDE)
def diagnose(
    program: Annotated[str, typer.Argument(metavar="PROGRAM", help="A script's path, or - for standard input.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="What the program finds in sys.argv.")] = None,
    is_module: Annotated[
        bool, typer.Option("-m", help="PROGRAM is the name of a module, as after `python -m`.")
    ] = False,
    steps: Annotated[int, typer.Option(metavar="N", min=1, help="Stop the program after so many steps.")] = 1000,
    as_json: Annotated[
        bool, typer.Option("--json", help="Findings as one line of JSON, the last one printed.")
    ] = False,
    lang: Lang = None,
) -> None:
    """Run a program and say what keeps it from learning: causes, evidence, lines, fixes.

    The exit code is 1 if anything was found, or if the program failed.
    """
    from kadam import lens
    from kadam.lens.diagnose import show

    found = lens.diagnose(program, arguments or [], is_module=is_module, steps=steps)
    typer.echo((show.data if as_json else show.terminal_text)(found, lang or "en"))
    raise typer.Exit(1 if found.findings or found.code else 0)


@app.command()
def learn(
    lesson: Annotated[str, typer.Argument(help="A lesson's name or number, or a Markdown file of your own.")] = "",
    html: Annotated[str, typer.Option("--html", metavar="FILE", help="Write the lesson as a page.")] = "",
    experiments: Annotated[
        str, typer.Option("--experiments", metavar="FOLDER", help="Write the lesson's cells as programs.")
    ] = "",
    lang: Lang = None,
) -> None:
    """Take a lesson: its code runs, and its numbers are those of the run. Without a name, list the lessons.

    `kadam learn glossary --html FILE` writes the glossary as a page.

    A lesson of your own is a Markdown file. Its fences ```python (with the words fresh, quiet, raises) are run;
    ```kadam draw and ```kadam explain WEIGHT show the step of the cell before; ```math or $$ holds formulas;
    {{expression}} in the text is a value. docs/lessons.md tells all of it, with an example.
    """
    from kadam.learn import ways

    raise typer.Exit(ways.learn(lesson, html, experiments, lang or "en"))


for _command in (commands.train, commands.predict, commands.report):
    app.command()(_command)
