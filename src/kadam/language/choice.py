"""Which language to speak."""

from __future__ import annotations

import os

from kadam.errors import KadamError

LANGUAGES = ("en", "hi")
_spoken = "en"


class UnknownLanguage(KadamError, ValueError):  # noqa: N818  (it says what it is)
    """A language that Kadam does not speak."""


def choose(wanted: str | None = None) -> str:
    """The language asked for; else that of KADAM_LANG; else the locale's, if Kadam speaks it; else English.

    Raises:
        UnknownLanguage: Kadam does not speak what was asked for, here or in KADAM_LANG.
    """
    named = wanted or os.environ.get("KADAM_LANG")
    if named:
        code = _code(named)
        if code not in LANGUAGES:
            raise UnknownLanguage(f"Kadam does not speak {named!r}. Fix: choose one of {', '.join(LANGUAGES)}.")
        return code
    locale = next((one for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (one := os.environ.get(name))), "")
    return _code(locale) if _code(locale) in LANGUAGES else "en"


def speak(lang: str) -> None:
    """From now on, what has no language of its own (the runner of programs) speaks this one."""
    global _spoken
    _spoken = lang


def spoken() -> str:
    """The language that a command was asked to speak; English where none was."""
    return _spoken


def _code(name: str) -> str:
    """`hi` of `hi_IN.UTF-8`."""
    return name.replace("-", "_").partition("_")[0].partition(".")[0].lower()
