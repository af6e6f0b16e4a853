"""The option `--lang` of the commands."""

from __future__ import annotations

from typing import Annotated

import typer

from kadam import language


def _choose(wanted: str | None) -> str:
    try:
        lang = language.choose(wanted)
    except language.UnknownLanguage as error:
        raise typer.BadParameter(str(error)) from None
    language.speak(lang)
    return lang


Lang = Annotated[
    str | None,
    typer.Option("--lang", metavar="en|hi", callback=_choose, help="The language; else KADAM_LANG, else the locale's."),
]  # once the command runs, one of the languages that Kadam speaks
