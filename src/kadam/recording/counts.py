"""How often programs have run, carried from one process to the next.

The tier that a program runs on depends on how often it ran (`tiers`), and the two engines differ in the last bits. A
run that goes on in a new process gives the same bits only if its programs go on counting. A program is known again
by its fingerprint: what it computes and what is asked of it, without lines and names of the user's program.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kadam.recording import tiers
from kadam.recording.trail import Path, Program, TrailNode

_carried: dict[str, int] = {}
_known: dict[Program, str] = {}
_at_once = [False]


def carry(counts: Mapping[str, int]) -> None:
    """Let programs that are made from now on go on counting from these."""
    _carried.clear()
    _carried.update(counts)


def count_so_far(here: TrailNode, key: Any) -> int:
    """How often a program that is made now has run in the processes before, or counts as having run."""
    if _at_once[0]:
        return max(tiers.NATIVE_AFTER, 0)
    return _carried.get(_fingerprint(here, key), 0) if _carried else 0


@contextmanager
def native_at_once() -> Iterator[None]:
    """Programs that are made in this block count as often used: for those of which one knows that they will be. What
    they compute then does not depend on what the process has run before."""
    before, _at_once[0] = _at_once[0], True
    try:
        yield
    finally:
        _at_once[0] = before


def taken(roots: Iterable[TrailNode]) -> dict[str, int]:
    """Fingerprint -> count of all programs, counted no further than makes a difference.

    What was carried here and has not come up yet is among them.
    """
    global _known
    enough = max(tiers.NATIVE_AFTER, 0)
    found, known = dict(_carried), {}
    for here in (node for root in roots for node in root.below()):
        for key, program in here.programs.items():
            known[program] = _known.get(program) or _fingerprint(here, key)
            found[known[program]] = min(program.count, enough)
    _known = known
    return found


def _fingerprint(here: TrailNode, key: Any) -> str:
    """What a program computes, from the calls that lead to `here`, and what `key` asks for."""
    path = Path(here)
    digest = hashlib.sha256()
    for node in path.builder.nodes:
        inputs = [source.id for source in node.inputs]
        digest.update(f"{node.primitive!r} {inputs} {node.type} {node.phase.value}\n".encode())
    ends = [node.id for node in path.feeds], [node.id for node in path.created]
    asked = [sorted(part) if isinstance(part, frozenset) else part for part in key]
    digest.update(repr((ends, asked)).encode())
    return digest.hexdigest()[:24]
