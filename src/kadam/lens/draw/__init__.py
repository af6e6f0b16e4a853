"""Drawing a step: input -> layers -> loss and back, folded by module, with its values and gradients.

`figure` makes an SVG that stands for itself; `figure_for_page` one whose blocks open at a click.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

from kadam import language
from kadam.lens.draw import svg
from kadam.lens.draw.picture import Picture
from kadam.lens.step import Step

__all__ = ["Picture", "figure", "figure_for_page", "picture_of", "script", "title"]


def _words(lang: str) -> Callable[..., str]:
    return lambda key, **values: language.text(f"draw.{key}", lang, **values)


def picture_of(step: Step, lang: str = "en") -> Picture:
    """What is drawn of a step, ready to be laid out."""
    return Picture(step, _words(lang))


def figure(picture: Picture, opened: str = "", name: str = "flow") -> str:
    """An SVG that stands for itself.

    Args:
        opened: the path of a module to open, `all`, or nothing: what the first look shows.

    Raises:
        KeyError: no block that can be opened has this path.
    """
    view = picture.view(_opened(picture, opened))
    return svg.standing(picture, view, picture.say, name, title(picture))


def figure_for_page(picture: Picture, name: str) -> str:
    """An SVG for a page that holds `svg.style()` and `script()`; `name` is its own there."""
    return svg.interactive(picture, picture.say, name, title(picture))


def script() -> str:
    """The script that opens and closes blocks."""
    return files("kadam.lens.draw").joinpath("diagram.js").read_text(encoding="utf-8")


def title(picture: Picture) -> str:
    fault = picture.step.fault
    if fault is not None:
        return picture.say("title_fault", error=fault.error)
    return picture.say("title", n=picture.step.index)


def _opened(picture: Picture, path: str) -> frozenset[str]:
    if path in ("", "all"):
        return picture.everything() if path else picture.first
    for key in picture.groups():
        if path in (picture.blocks[key].path, picture.blocks[key].title):
            return picture.opening(key)
    known = ", ".join(filter(None, (picture.blocks[key].path for key in picture.groups())))
    raise KeyError(f"no block {path!r} can be opened. Fix: choose one of {known or 'none'}, or all.")
