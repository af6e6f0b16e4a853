"""A file imports only from lower floors or its own; PyTorch is imported nowhere, LLVM by the native engine alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from floors import FLOOR_OF, FLOORS, PACKAGE, floor_of, imports, lines_of_code, module_of, sources

# Packages that one room alone may know.
KEPT_IN = {"llvmlite": "engines/native", "jax": "engines/xla"}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_from_its_own_floor_and_those_below(path: Path) -> None:
    floor = floor_of(module_of(path))
    assert floor is not None, f"{path} is a room that stands on no floor: add it to FLOORS in tests/floors.py"
    for line, name in imports(path):
        if name.split(".")[0] == "kadam":
            below = floor_of(name)
            assert below is not None, f"{path}:{line} imports {name}, which stands on no floor"
            assert below <= floor, (
                f"{path}:{line} stands on floor {floor} ({FLOORS[floor][0]}) and imports {name} "
                f"from floor {below} ({FLOORS[below][0]})"
            )


# The lens's own rooms that may look at a running program; the others see steps: graphs, traces, events.
WATCHERS = ("capture", "watch")
STEP = FLOOR_OF["autodiff"]


@pytest.mark.parametrize("path", sorted((PACKAGE / "lens").rglob("*.py")), ids=lambda path: path.name)
def test_the_views_of_the_lens_read_graphs_and_traces_only(path: Path) -> None:
    if path.name.startswith(WATCHERS):
        return
    for line, name in imports(path):
        if name.split(".")[0] == "kadam" and not name.startswith("kadam.lens"):
            floor = floor_of(name)
            assert floor is not None, f"{path}:{line} imports {name}, which stands on no floor"
            assert floor <= STEP, f"{path}:{line} imports {name}: a view of the lens reads steps, nothing else"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_no_package_that_is_kept_elsewhere(path: Path) -> None:
    for line, name in imports(path):
        package = name.split(".")[0]
        assert package, f"{path}:{line} imports by a relative name; write it from kadam on"
        assert package != "torch", f"{path}:{line} imports PyTorch, which is a reference for tests alone"
        room = KEPT_IN.get(package)
        assert room is None or path.is_relative_to(PACKAGE / room), (
            f"{path}:{line} imports {package}, which only {room} may"
        )


def test_imports_are_found_wherever_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "room.py"
    file.write_text(
        "import a, kadam.nn as n\n"
        "if TYPE_CHECKING:\n    import b\nelse:\n    import c\n"
        "def f():\n    from kadam import shapes, no_grad\n"
    )
    found = [(1, "a"), (1, "kadam.nn"), (5, "c"), (7, "kadam.shapes"), (7, "kadam")]
    assert list(imports(file)) == found


def test_lines_of_code_are_counted_without_comments_and_docstrings(tmp_path: Path) -> None:
    file = tmp_path / "room.py"
    file.write_text(
        '"""One\n\nline."""\n\n# comment\nx = [\n    1,\n]  # end\n\n\ndef f():\n    """Doc."""\n    return x\n'
    )
    assert lines_of_code(file) == 5
