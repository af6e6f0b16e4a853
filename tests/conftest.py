"""What every test may ask for: a program's run by Kadam, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
LONGEST_S = 600


@pytest.fixture(autouse=True)
def uncrowded() -> None:
    """No test meets a trail on which the tests before have walked so many paths that new ones must come twice."""
    step = sys.modules.get("kadam.recording.step")
    if step is not None:
        step.state.single = 0


@pytest.fixture(autouse=True)
def pytorch_checks_distributions() -> None:
    """As it does by default: `torch._dynamo`, which some test may have loaded, turns that off."""
    distributions = sys.modules.get("torch.distributions")
    if distributions is not None and "torch._dynamo" in sys.modules:
        distributions.Distribution.set_default_validate_args(True)


@pytest.fixture(scope="session")
def run_python() -> Run:
    """Runs this interpreter with the given arguments; `env` adds to the environment."""

    def run(
        *arguments: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=LONGEST_S,
        )

    return run


@pytest.fixture(scope="session")
def run_kadam(run_python: Run) -> Run:
    """Runs the command `kadam` with the given arguments."""

    def run(*arguments: str | Path, **settings: object) -> subprocess.CompletedProcess[str]:
        return run_python("-m", "kadam", *arguments, **settings)

    return run
