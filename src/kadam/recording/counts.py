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
from kadam.recording.trail import Family, Path, Program, TrailNode

_FAMILY = "family "
_carried: dict[str, int] = {}
_known: dict[Program, str] = {}


def carry(counts: Mapping[str, int]) -> None:
    """Let programs that are made from now on go on counting from these."""
    _carried.clear()
    _carried.update(counts)


def begin_count(program: Program, here: TrailNode, key: Any) -> None:
    """Let a program that is made now count from where it stood in the processes before, or from where it is due."""
    if tiers.at_once[0]:
        program.count = program.due = max(tiers.NATIVE_AFTER, 0)
        return
    program.family = _family_of(program, here)
    count = _carried.get(_fingerprint(here, key), 0) if _carried else 0
    if count < 0:
        tiers.go_on(program, -1 - count)
    else:
        program.count = program.due = count


def _family_of(program: Program, here: TrailNode) -> Family:
    """The family of a program that is made where `here` stands; all of one thread's trail are noted at its root."""
    root = here.first.parent
    assert root is not None
    assert program.graph is not None
    members = frozenset([type(node.primitive) for node in program.graph.nodes])
    families = root.plans
    family = families.get(members)
    if family is None:
        name = _FAMILY + hashlib.sha256(" ".join(sorted(one.__name__ for one in members)).encode()).hexdigest()[:24]
        family = families[members] = Family(name, _carried.get(name, 0))
    return family


@contextmanager
def native_at_once() -> Iterator[None]:
    """Programs that are made in this block count as often used: for those of which one knows that they will be. What
    they compute then does not depend on what the process has run before."""
    before, tiers.at_once[0] = tiers.at_once[0], True
    try:
        yield
    finally:
        tiers.at_once[0] = before


def taken(roots: Iterable[TrailNode]) -> dict[str, int]:
    """Fingerprint -> count of all programs, counted no further than makes a difference: -1 - count for runs on the
    native engine. Name -> members that have not paid, of all families.

    What was carried here and has not come up yet is among them.
    """
    global _known
    found, known = dict(_carried), {}
    roots = list(roots)
    for family in (one for root in roots for one in root.plans.values() if isinstance(one, Family)):
        found[family.name] = family.unpaid
    for here in (node for root in roots for node in root.below()):
        for key, program in here.programs.items():
            known[program] = _known.get(program) or _fingerprint(here, key)
            found[known[program]] = tiers.counted(program)
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
