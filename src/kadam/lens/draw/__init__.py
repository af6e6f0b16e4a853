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

__all__ = ["Picture", "figure", "figure_for_page", "opened_at", "picture_of", "script", "title"]

MOST_NAMES = 16  # in a message


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
    picture = opened_at(picture, opened)
    return svg.standing(picture, picture.view(picture.first), picture.say, name, title(picture))


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


def opened_at(picture: Picture, path: str) -> Picture:
    """A picture whose first look has a module open; one of a repeat stands beside the others, which stay folded.

    Args:
        path: of the module, `all`, or nothing: the picture as it is.

    Raises:
        KeyError: there is no block of this path.
    """
    if path in ("", "all"):
        picture.first = picture.everything() if path else picture.first
        return picture
    if not picture.key_at(path) or path not in {block.path for block in picture.blocks.values()}:
        apart = Picture(picture.step, picture.say, path)
        picture = apart if apart.key_at(path) else picture
    key = picture.key_at(path)
    if not key:
        raise KeyError(_no_block(picture, path))
    picture.first = picture.around(key) if picture.apart else picture.opening(key)
    return picture


def _no_block(picture: Picture, path: str) -> str:
    """What can be opened instead: modules that hold others, outer ones first."""
    paths = list(dict.fromkeys(call.path for call in picture.step.calls if call.path and call.outputs))
    holders = [one for one in paths if any(other.startswith(f"{one}.") for other in paths)] or paths
    holders.sort(key=lambda one: one.count("."))
    more = f" (+{len(holders) - MOST_NAMES})" if len(holders) > MOST_NAMES else ""
    return picture.say("no_block", name=path, known=", ".join(holders[:MOST_NAMES]) + more)
