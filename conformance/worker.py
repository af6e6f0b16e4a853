"""A process that judges entries: reads their names from its standard input, writes verdicts as lines of JSON.

PyTorch and Kadam run here, so that a crash or an endless loop costs one entry and not the run.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

OWN_KINDS = {"module": "modules", "module-error": "modules", "optim": "optimizers", "optim-error": "optimizers"}


def judge(name: str, kinds: list[str]) -> list[dict[str, Any]]:
    """The verdicts on an entry; all kinds are those of one room."""
    from conformance import modules, operators, optimizers
    from conformance.verdict import Verdict, described

    rooms = {"modules": modules, "optimizers": optimizers, "operators": operators}
    room = rooms[OWN_KINDS.get(kinds[0], "operators")]
    begin = time.perf_counter()
    try:
        verdicts = room.judge(name, kinds)
    except Exception as error:  # of PyTorch's material, or of this comparison
        verdicts = [Verdict(kind, name, first=f"not judged: {described(error)}") for kind in kinds]
    for verdict in verdicts:
        verdict.seconds = round(time.perf_counter() - begin, 2)
    return [{**verdict.record(), "status": verdict.status} for verdict in verdicts]


def main() -> None:
    """Judge entries until the standard input ends. Results leave by a pipe that nothing else prints to."""
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import torch

    torch.set_num_threads(1)
    print(json.dumps("ready"), file=results, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(judge(asked["name"], asked["kinds"])), file=results, flush=True)


if __name__ == "__main__":
    main()
