"""The `kadam` command."""

from __future__ import annotations

import importlib.metadata
from typing import Annotated

import typer

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
) -> None:
    """Run a program in which `import torch` is Kadam.

    Set KADAM_TRACEBACK=full to see Kadam's own code in tracebacks too.
    """
    from kadam import script

    run_program = script.run_module if is_module else script.run_file
    if not show_profile:
        raise typer.Exit(run_program(program, arguments or []))
    from kadam.native import profile

    profile.start()
    code = run_program(program, arguments or [])
    typer.echo(profile.table(), err=True)
    raise typer.Exit(code)
