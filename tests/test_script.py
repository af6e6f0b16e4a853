"""`kadam run`: a program finds the world as `python program.py` shows it, with Kadam as its torch."""

from __future__ import annotations

import importlib.util
import sys
import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Run
from kadam import tracebacks

Program = Callable[..., Path]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Writes a program and gives its path."""

    def write(source: str, name: str = "program.py") -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        return path

    return write


# What a program can see of how it was started.
VIEW = """
    import os, sys
    print(__name__, __file__, __package__, __spec__ and __spec__.name)
    print(sys.argv, sys.path[0], sys.modules["__main__"].__dict__ is globals())
    def annotated(x: 1 + 1): ...
    print(annotated.__annotations__)
"""


@pytest.mark.parametrize("arguments", [[], ["--help", "-m", "x", "--", "--version"]])
def test_a_script_sees_what_python_would_show_it(
    program: Program, run_kadam: Run, run_python: Run, arguments: list[str]
) -> None:
    path = program(VIEW)
    expected = run_python(path, *arguments)
    assert expected.returncode == 0, expected.stderr
    assert run_kadam("run", path, *arguments).stdout == expected.stdout


def test_a_script_is_found_by_a_relative_path_too(program: Program, run_kadam: Run, run_python: Run) -> None:
    directory = program(VIEW).parent
    expected = run_python("program.py", cwd=directory)
    assert run_kadam("run", "program.py", cwd=directory).stdout == expected.stdout


def test_a_module_sees_what_python_would_show_it(program: Program, run_kadam: Run, run_python: Run) -> None:
    directory = program(VIEW).parent
    expected = run_python("-m", "program", "--epochs", "3", cwd=directory)
    assert expected.returncode == 0, expected.stderr
    assert run_kadam("run", "-m", "program", "--epochs", "3", cwd=directory).stdout == expected.stdout


def test_a_script_on_standard_input(run_kadam: Run, run_python: Run) -> None:
    source = "import sys; print(__name__, sys.argv, repr(sys.path[0]), '__file__' in globals())"
    expected = run_python("-", "a", "-b", stdin=source)
    assert run_kadam("run", "-", "a", "-b", stdin=source).stdout == expected.stdout


def test_a_script_imports_its_neighbours_and_pickles_its_own_classes(program: Program, run_kadam: Run) -> None:
    program("ANSWER = 42", "neighbour.py")
    path = program("""
        import pickle
        from dataclasses import dataclass
        from neighbour import ANSWER

        @dataclass
        class Point:
            x: int

        print(pickle.loads(pickle.dumps(Point(ANSWER))))
    """)
    run = run_kadam("run", path)
    assert run.stdout == "Point(x=42)\n", run.stderr


def test_torch_and_all_below_it_is_kadam(program: Program, run_kadam: Run) -> None:
    path = program("""
        import torch, kadam
        import torch.nn as nn
        import torch.nn.functional as F
        import torch.utils.data
        from torch import optim
        from torch.optim import lr_scheduler
        from torch.utils.data import DataLoader
        import kadam.nn.functional, kadam.optim.lr_scheduler, kadam.utils.data

        assert torch is kadam
        assert nn is kadam.nn is torch.nn
        assert F is kadam.nn.functional is nn.functional
        assert optim is kadam.optim
        assert lr_scheduler is kadam.optim.lr_scheduler
        assert torch.utils.data is kadam.utils.data
        assert DataLoader is kadam.utils.data.DataLoader
        assert kadam.__spec__.name == "kadam"
        assert kadam.nn.functional.__spec__.name == "kadam.nn.functional"
        print("same")
    """)
    run = run_kadam("run", path)
    assert run.stdout == "same\n", run.stderr


def test_kadam_imported_as_torch_without_the_command(program: Program, run_python: Run) -> None:
    path = program("""
        import sys
        import kadam as torch
        import kadam.nn as nn
        import kadam.optim as optim
        from kadam.utils.data import DataLoader, TensorDataset

        assert nn is torch.nn
        assert optim is torch.optim
        assert "torch" not in sys.modules
        layer = nn.Linear(2, 1)
        optimizer = optim.SGD(layer.parameters(), lr=0.1)
        layer(torch.ones(3, 2)).sum().backward()
        optimizer.step()
        print(tuple(layer.weight.grad.shape))
        try:
            torch.no_such_name
        except AttributeError as error:
            print(error)
    """)
    run = run_python(path)
    assert run.stdout.startswith("(1, 2)\nneither PyTorch nor Kadam has a public name torch.no_such_name."), run.stderr


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("pass", 0),
        ("sys.exit()", 0),
        ("sys.exit(7)", 7),
        ("raise SystemExit('bye')", 1),
        ("1 / 0", 1),
        ("os.kill(os.getpid(), signal.SIGINT); time.sleep(5)", 130),
        ("def f(:", 1),
    ],
)
def test_the_exit_code_is_the_programs_own(program: Program, run_kadam: Run, ending: str, code: int) -> None:
    assert run_kadam("run", program(f"import os, signal, sys, time\n{ending}")).returncode == code


def test_a_script_that_is_not_there(run_kadam: Run, tmp_path: Path) -> None:
    run = run_kadam("run", "absent.py", cwd=tmp_path)
    assert run.returncode == 2
    assert run.stderr.startswith("kadam run: can't open file 'absent.py': No such file or directory. Fix: ")


@pytest.mark.parametrize("name", ["absent", "absent.inner", "json.absent"])
def test_a_module_that_is_not_there(run_kadam: Run, tmp_path: Path, name: str) -> None:
    run = run_kadam("run", "-m", name, cwd=tmp_path)
    assert run.returncode == 1
    assert run.stderr.startswith(f"kadam run: no module named {name!r} in ")
    assert "Fix: " in run.stderr
    assert "Traceback" not in run.stderr


WORKER = """
import torch
from torch.utils.data import DataLoader, Dataset

class Uneven(Dataset):
    def __len__(self):
        return 2
    def __getitem__(self, index):
        return torch.zeros(3) + torch.zeros(4)

if __name__ == "__main__":
    next(iter(DataLoader(Uneven(), num_workers=1)))
"""


def test_a_workers_traceback_shows_the_users_code_only(program: Program, run_kadam: Run) -> None:
    run = run_kadam("run", program(WORKER))
    assert run.returncode == 1
    assert "return torch.zeros(3) + torch.zeros(4)" in run.stderr
    assert "RuntimeError: add: The size of tensor a (3) must match the size of tensor b (4)" in run.stderr
    assert "kadam/" not in run.stderr


# As the generated callers of operations do: a signal of their own, then code of the user's.
INNER = """
def inner():
    try:
        raise KeyError
    except KeyError:
        of_user()
"""

FAULTY = """
    import torch
    import torch.nn as nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x):
            return self.fc(x)

    def main():
        return Net()(torch.ones(3, 5))

    main()
"""


def shown_files(stderr: str) -> list[str]:
    return [line.split('"')[1] for line in stderr.splitlines() if line.startswith('  File "')]


def test_a_traceback_shows_the_users_code_only(program: Program, run_kadam: Run) -> None:
    path = program(FAULTY)
    run = run_kadam("run", path)
    assert run.returncode == 1
    assert shown_files(run.stderr) == [str(path)] * 3, run.stderr
    assert "return self.fc(x)" in run.stderr
    assert "RuntimeError" in run.stderr


def test_a_whole_traceback_is_shown_on_request(program: Program, run_kadam: Run) -> None:
    path = program(FAULTY)
    run = run_kadam("run", path, env={"KADAM_TRACEBACK": "full"})
    assert run.returncode == 1
    assert len(set(shown_files(run.stderr))) > 1


def test_errors_of_libraries_that_the_user_calls_are_shown_whole(program: Program, run_kadam: Run) -> None:
    run = run_kadam("run", program("import json\njson.loads('{')"))
    assert [Path(file).name for file in shown_files(run.stderr)] == [
        "program.py",
        "__init__.py",
        "decoder.py",
        "decoder.py",
    ]


def test_tracebacks_are_shortened_in_threads_and_before_the_programs_own_hook(program: Program, run_kadam: Run) -> None:
    path = program("""
        import sys, threading, traceback
        import torch

        def fail():
            torch.ones(2) @ torch.ones(3)

        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        sys.excepthook = lambda kind, error, trace: print("hook", [f.name for f in traceback.extract_tb(trace)])
        fail()
    """)
    run = run_kadam("run", path)
    assert run.returncode == 1
    assert run.stdout == "hook ['<module>', 'fail']\n"
    assert {Path(file).name for file in shown_files(run.stderr)} <= {"program.py", "threading.py"}, run.stderr


def test_errors_that_kadam_has_caught_itself_are_not_shown() -> None:
    def of_user() -> None:
        raise ValueError

    scope = {"of_user": of_user}
    exec(compile(INNER, "<call of inner>", "exec"), scope)
    with pytest.raises(ValueError) as caught:
        scope["inner"]()
    assert isinstance(caught.value.__context__, KeyError)
    tracebacks.shorten(caught.value)
    assert caught.value.__context__ is None
    assert [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][-1] == "of_user"
    assert "inner" not in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ("torch.soft_max", "MissingNameError", "torch.softmax"),
        ("torch.nn.Liner(1, 1)", "MissingNameError", "torch.nn.Linear"),
        ("from torch import no_gard", "MissingImportError", "torch.no_grad"),
        ("from torch.nn.functional import cros_entropy", "MissingImportError", "torch.nn.functional.cross_entropy"),
        ("from torch.nn.init import kaiming_unifrom_", "MissingImportError", "torch.nn.init.kaiming_uniform_"),
        ("import torch.nested", "MissingModuleError", "PyTorch has torch.nested, Kadam does not have it yet"),
        ("import torch.optimizer", "MissingModuleError", "torch.optim"),
        ("import torch.foo.bar", "MissingModuleError", "neither PyTorch nor Kadam has a public module torch.foo"),
        ("import torch.recording.step", "MissingModuleError", "torch.recording"),
        ("torch.nested.nested_tensor", "MissingNameError", "PyTorch has torch.nested, Kadam does not have it yet"),
    ],
)
def test_a_missing_name_is_an_error_at_its_line(
    program: Program, run_kadam: Run, line: str, kind: str, words: str
) -> None:
    path = program(f"import torch\n\n{line}\nprint('went on')\n")
    run = run_kadam("run", path)
    assert run.returncode == 1
    assert run.stdout == ""
    assert shown_files(run.stderr) == [str(path)]
    assert f'{path}", line 3' in run.stderr
    assert run.stderr.splitlines()[-1].startswith(f"kadam.missing.{kind}: "), run.stderr
    assert words in run.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "transposed",
            "neither PyTorch nor Kadam has a public name torch.Tensor.transposed. What comes closest: torch.",
        ),
        ("to_mkldnn", "PyTorch has torch.Tensor.to_mkldnn, Kadam does not have it yet."),
    ],
)
def test_what_a_tensor_lacks_is_explained(program: Program, run_kadam: Run, name: str, words: str) -> None:
    run = run_kadam("run", program(f"import torch\ntorch.ones(2).{name}()"))
    assert run.returncode == 1
    assert run.stderr.splitlines()[-2].startswith(f"AttributeError: 'Tensor' object has no attribute '{name}'")
    assert run.stderr.splitlines()[-1].startswith(words)


def test_a_program_can_ask_whether_a_name_is_there(program: Program, run_kadam: Run) -> None:
    path = program("""
        import torch
        print(hasattr(torch, "no_such_name"), getattr(torch.nn, "NoSuchLayer", None))
        try:
            from torch import no_such_name
        except ImportError as error:
            print("no", error.name)
        try:
            import torch.no_such_module
        except ModuleNotFoundError as error:
            print("no", error.name)
    """)
    run = run_kadam("run", path)
    assert run.stdout == "False None\nno torch\nno torch.no_such_module\n", run.stderr


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="torchvision is installed")
def test_other_libraries_are_looked_for_as_ever(program: Program, run_kadam: Run) -> None:
    run = run_kadam("run", program("import torch\nimport torchaudio"))
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'torchaudio'"


def test_the_command_says_what_it_can_do(run_kadam: Run) -> None:
    assert "run" in run_kadam("--help").stdout
    assert "PROGRAM" in run_kadam("run", "--help").stdout
    version = run_kadam("--version").stdout.split()
    assert version[0] == "kadam"
    assert run_kadam("run").returncode == 2


def test_running_a_script_leaves_pytorch_alone(program: Program, run_kadam: Run) -> None:
    path = program("import sys, torch\nprint([n for n in sys.modules if n.startswith('torch._')], sys.executable)")
    assert run_kadam("run", path).stdout == f"[] {sys.executable}\n"
