"""The floors of the house: which file stands where, what it imports, and how long it is.

python tests/floors.py        lines of code per floor
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "kadam"

# The rooms of each floor, from the ground up: files and folders of src/kadam.
FLOORS = (
    ("facts", "absent errors dtypes shapes device hot layouts missing language"),
    ("what a step is", "ir"),
    ("primitives", "primitives"),
    ("derivatives and passes", "autodiff passes"),
    ("engines", "engines"),
    ("recording", "recording"),
    (
        "the PyTorch surface",
        "__init__ _C __config__ _dynamo _subclasses _utils accelerator amp anomaly autograd backends compiler control "
        "cpu cuda distributed distributions fft func futures fx hub jit legacy functional library linalg masked mps "
        "multiprocessing namespace native nn onnx ops optim overrides printing profiler random safetensors "
        "quasirandom serialization settings signal sparse special tensor testing types utils version vision xpu",
    ),
    ("ways in", "__main__ cli learn lens lessons script studio torch_imports tracebacks train"),
)
FLOOR_OF = {room: floor for floor, (_, rooms) in enumerate(FLOORS) for room in rooms.split()}

# Programs that users could have written; in them, `torch` is Kadam.
PROGRAMS = PACKAGE / "lessons"


def sources() -> list[Path]:
    """Every Python file of Kadam, without its lesson programs."""
    return sorted(path for path in PACKAGE.rglob("*.py") if PROGRAMS not in path.parents)


def floor_of(module: str) -> int | None:
    """The floor of a module such as `kadam.nn.init`; None where its room stands on none."""
    parts = module.split(".")
    return FLOOR_OF.get(parts[1] if len(parts) > 1 else "__init__")


def module_of(path: Path) -> str:
    """The name of the module that a file holds."""
    parts = ["kadam", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the name of every module that a file imports when it runs, at its top or in a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for node in _when_running(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            yield from ((node.lineno, _imported(source, alias.name)) for alias in node.names)


def _when_running(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from _when_running(other)
        else:
            yield from _when_running(child)


def _imported(source: str, name: str) -> str:
    """`from kadam import shapes` imports the module `kadam.shapes`, `from kadam.shapes import broadcast` does too."""
    inside = PACKAGE.joinpath(*source.split(".")[1:], name)
    is_module = source.split(".")[0] == "kadam" and (inside.is_dir() or inside.with_suffix(".py").is_file())
    return f"{source}.{name}" if is_module else source


def lines_of_code(path: Path) -> int:
    """Lines that hold code: no blank lines, no comments, no docstrings."""
    text = path.read_text(encoding="utf-8")
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in nothing:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def main() -> None:
    """Print how many files and lines of code each floor has."""
    counts = [[0, 0] for _ in FLOORS]
    for path in sources():
        floor = floor_of(module_of(path))
        if floor is not None:
            counts[floor][0] += 1
            counts[floor][1] += lines_of_code(path)
    print(f"{'floor':28} {'files':>5} {'lines of code':>14}")
    for floor, ((name, _), (files, lines)) in enumerate(zip(FLOORS, counts, strict=True)):
        print(f"{floor}  {name:25} {files:5} {lines:14,}")
    print(f"{'':28} {sum(files for files, _ in counts):5} {sum(lines for _, lines in counts):14,}")


if __name__ == "__main__":
    main()
