"""The runtime under the native engine: kernels from texts to addresses, their place on the disk, launches, the team."""

from __future__ import annotations

import ctypes
import gc
import json
import math
import os
import random
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kadam
from kadam.engines.native import build, cpython, objects, team, threads
from kadam.engines.native.compiler import Compiler
from kadam.engines.native.launch import Launch, Launches
from kadam.engines.native.llvm import NativeUnavailable
from kadam.engines.native.stats import stats
from kadam.engines.native.tables import BAD_CALL, TABLES, Process, Program, Team
from kadam.engines.native.target import Target, cache_bytes, host

Run = Callable[..., "subprocess.CompletedProcess[str]"]

POSIX = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks and file modes are POSIX's")


def kernel(body: str, buffers: int, declarations: str = "") -> str:
    """A kernel's text: `body` works on task %i, with buffers %b0, %b1, ..."""
    loads = "\n".join(
        f"  %a{j} = getelementptr ptr, ptr %args, i64 {j}\n  %s{j} = load ptr, ptr %a{j}\n  %b{j} = load ptr, ptr %s{j}"
        for j in range(buffers)
    )
    return f"""
define void @kernel(ptr %args, i64 %begin, i64 %end) nounwind {{
entry:
{loads}
  br label %head
head:
  %i = phi i64 [ %begin, %entry ], [ %next, %tail ]
  %more = icmp slt i64 %i, %end
  br i1 %more, label %body, label %done
body:
{body}
  br label %tail
tail:
  %next = add i64 %i, 1
  br label %head
done:
  ret void
}}
{declarations}
"""


# y[i] = x[i] * factor
SCALE = kernel(
    """
  %x.at = getelementptr double, ptr %b0, i64 %i
  %y.at = getelementptr double, ptr %b2, i64 %i
  %x = load double, ptr %x.at
  %factor = load double, ptr %b1
  %y = fmul double %x, %factor
  store double %y, ptr %y.at""",
    3,
)

# count[i] += 1, so that a task that runs twice is seen
COUNT = kernel(
    """
  %at = getelementptr i64, ptr %b0, i64 %i
  %old = atomicrmw add ptr %at, i64 1 monotonic""",
    1,
)

# error = x[i] where x[i] is not 0
CHECK = kernel(
    """
  %x.at = getelementptr i64, ptr %b0, i64 %i
  %x = load i64, ptr %x.at
  %bad = icmp ne i64 %x, 0
  br i1 %bad, label %fail, label %tail
fail:
  store i64 %x, ptr %b1""",
    2,
)

# z[16 i ...] = x * y + z, in one vector of 16 floats
VECTOR = kernel(
    """
  %at = mul i64 %i, 16
  %x.at = getelementptr float, ptr %b0, i64 %at
  %y.at = getelementptr float, ptr %b1, i64 %at
  %z.at = getelementptr float, ptr %b2, i64 %at
  %x = load <16 x float>, ptr %x.at, align 4
  %y = load <16 x float>, ptr %y.at, align 4
  %z = load <16 x float>, ptr %z.at, align 4
  %r = call <16 x float> @llvm.fma.v16f32(<16 x float> %x, <16 x float> %y, <16 x float> %z)
  store <16 x float> %r, ptr %z.at, align 4""",
    3,
    "declare <16 x float> @llvm.fma.v16f32(<16 x float>, <16 x float>, <16 x float>)",
)

# Runs until 20,000,000 is reached, for every task: some 10 milliseconds.
SLOW = """
define void @kernel(ptr %args, i64 %begin, i64 %end) nounwind {
entry:
  %count = alloca i64
  store volatile i64 0, ptr %count
  br label %head
head:
  %old = load volatile i64, ptr %count
  %new = add i64 %old, 1
  store volatile i64 %new, ptr %count
  %more = icmp slt i64 %new, 20000000
  br i1 %more, label %head, label %done
done:
  ret void
}
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "cache"
    monkeypatch.setenv("KADAM_CACHE_DIR", str(place))
    monkeypatch.delenv("KADAM_CACHE", raising=False)
    return place


@pytest.fixture(autouse=True)
def team_of_two() -> Iterator[None]:
    before = threads.threads()
    threads.set_threads(2)
    yield
    threads.set_threads(before)


@pytest.fixture(params=["as CPython has it", "unknown"])
def any_layout(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The engine with objects read by compiled code, and with addresses gathered in Python."""
    known = cpython.layout() if request.param == "as CPython has it" else None
    if known is None and request.param == "as CPython has it":
        pytest.skip("objects lie otherwise here")
    own = team.Runtime(known)
    monkeypatch.setattr(team, "_loaded", [own])
    yield
    own.end()


def unique(text: str) -> str:
    """The same kernel as a text that no cache has seen."""
    return f"; {random.random()} {time.time_ns()}\n{text}"


def scaled(count: int, grain: int, **options: Any) -> tuple[Launches, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """A program of one launch: an output, `count` inputs and a number."""
    (address,) = build.addresses([SCALE])
    program = Launches(3, {}, [(0, False), (1, True)], [2], [Launch(address, (0, 1, 2), count, grain)], **options)
    return program, np.arange(1.0, count + 1), np.zeros(count)


# Texts to addresses


def test_a_text_is_compiled_once() -> None:
    text, before = unique(SCALE), stats()
    first, other, second = build.addresses([text, unique(COUNT), text])
    assert first == second != other
    assert build.addresses([text]) == [first]
    after = stats()
    assert after.kernels_compiled - before.kernels_compiled == 2
    assert after.kernels_shared - before.kernels_shared == 2
    assert after.compile_s > before.compile_s
    assert after.code_bytes > before.code_bytes


def test_many_threads_may_build_at_once() -> None:
    texts = [unique(SCALE) for _ in range(6)]
    found: list[list[int]] = []
    workers = [threading.Thread(target=lambda: found.append(build.addresses(texts))) for _ in range(4)]
    before = stats().kernels_compiled
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [found[0]] * 4
    assert stats().kernels_compiled - before == 6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("define void @kernel(ptr %args, i64 %begin, i64 %end) {\n  ret i32 0\n}", "refused"),
        (kernel("  call void @nowhere()", 0, "declare void @nowhere()"), "link"),
        ("define void @other() {\n  ret void\n}", "no @kernel"),
    ],
)
def test_what_llvm_refuses_is_said_and_hurts_nobody_else(text: str, said: str) -> None:
    with pytest.raises(NativeUnavailable, match=said):
        build.addresses([unique(SCALE), text])
    with pytest.raises(NativeUnavailable, match=said):
        build.addresses([text])
    assert build.addresses([unique(SCALE)])[0]


def test_kernels_may_call_libm() -> None:
    text = kernel(
        """
  %x.at = getelementptr double, ptr %b0, i64 %i
  %x = load double, ptr %x.at
  %y = call double @lgamma(double %x)
  store double %y, ptr %x.at""",
        1,
        "declare double @lgamma(double)",
    )
    values = np.array([0.5, 3.0, 10.25])
    program = Launches(1, {0: values.ctypes.data}, [], [], [Launch(build.addresses([text])[0], (0,), 3)])
    assert program.call([], []) == 0
    assert values.tolist() == pytest.approx([math.lgamma(0.5), math.lgamma(3.0), math.lgamma(10.25)], rel=1e-14)


# The target


def test_the_host_is_described() -> None:
    found = host()
    assert found.vector_bytes in (16, 32, 64)
    assert found.vector_registers in (16, 32)
    assert found.cores == threads.cores() >= 1
    assert 8 << 10 <= found.l1_bytes < found.l2_bytes
    assert cache_bytes(1) == found.l1_bytes


TARGET_PROGRAM = f"""
import json, sys
import numpy as np
from kadam.engines.native import build
from kadam.engines.native.compiler import Compiler
from kadam.engines.native.launch import Launch, Launches
from kadam.engines.native.target import host
text = {VECTOR!r}
x, y, z = (np.random.default_rng(seed).standard_normal(64).astype(np.float32) for seed in range(3))
exact = (x.astype(np.float64) * y + z).astype(np.float32)
program = Launches(3, {{}}, [(0, False), (1, False)], [2], [Launch(build.addresses([text])[0], (0, 1, 2), 4)])
code = program.call([x, y], [z])
same = bool(np.allclose(z, exact, rtol=1e-6, atol=1e-6))
target = host()
facts = dict(code=code, same=same, width=target.vector_bytes, registers=target.vector_registers, fma=target.fma)
print(json.dumps(facts | dict(assembly=Compiler(target).assembly(build.named(text, "vector")))))
"""


@pytest.mark.skipif(not host().triple.startswith("x86_64"), reason="these are x86 processors")
@pytest.mark.parametrize(
    ("name", "width", "fma", "has", "has_not"),
    [("avx2", 32, True, ("ymm", "vfmadd"), ("zmm",)), ("baseline", 16, False, ("xmm", "fmaf"), ("ymm", "zmm"))],
)
def test_lesser_processors_get_their_own_code(
    name: str, width: int, fma: bool, has: tuple[str, ...], has_not: tuple[str, ...], run_python: Run
) -> None:
    done = run_python("-c", TARGET_PROGRAM, env={"KADAM_TARGET": name})
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assembly = facts.pop("assembly")
    assert facts == {"code": 0, "same": True, "width": width, "registers": 16, "fma": fma}
    assert all(word in assembly for word in has)
    assert not any(word in assembly for word in has_not)


BFLOAT_PROGRAM = """
import kadam as torch
from kadam import native
torch.manual_seed(0)
layer = torch.nn.Linear(40, 24).to(torch.bfloat16)
optimizer = torch.optim.AdamW(layer.parameters(), lr=0.01)
for _ in range(4):
    optimizer.zero_grad()
    (layer(torch.ones(3, 40, dtype=torch.bfloat16)) - 1).square().mean().backward()
    optimizer.step()
print(float(layer.weight.float().sum()), native.stats().kernels_compiled)
"""


@pytest.mark.skipif(not host().triple.startswith("x86_64"), reason="these are x86 processors")
@pytest.mark.parametrize("name", ["avx512", "avx2", "baseline"])
def test_processors_without_bfloat16_compute_with_it(name: str, run_python: Run) -> None:
    """LLVM would call a function to round to it that no process has."""
    pytest.importorskip("torch")
    own = run_python("-c", BFLOAT_PROGRAM, env={"KADAM_ENGINE": "native", "KADAM_CACHE": "off", "KADAM_TARGET": name})
    assert own.returncode == 0, own.stderr
    found, compiled = own.stdout.split()
    assert int(compiled) > 0
    theirs = BFLOAT_PROGRAM.replace("import kadam as torch\nfrom kadam import native\n", "import torch\n")
    done = run_python("-c", theirs.replace("native.stats().kernels_compiled", "0"))
    assert done.returncode == 0, done.stderr
    assert float(found) == pytest.approx(float(done.stdout.split()[0]), rel=0.02)


def test_an_unknown_target_is_refused(run_python: Run) -> None:
    done = run_python("-c", "from kadam.engines.native.target import host; host()", env={"KADAM_TARGET": "z80"})
    assert "NativeUnavailable: KADAM_TARGET=z80 is unknown here" in done.stderr


def test_vectors_are_as_wide_as_the_processor_has_them() -> None:
    assembly = Compiler(host()).assembly(build.named(VECTOR, "vector"))
    register = {16: "xmm", 32: "ymm", 64: "zmm"}[host().vector_bytes]
    if host().triple.startswith("x86_64"):
        assert register in assembly


def test_without_llvm_one_exception_says_why(run_python: Run) -> None:
    program = """
import sys
sys.modules["llvmlite"] = None
from kadam.engines.native.build import addresses
from kadam.engines.native.llvm import NativeUnavailable
try:
    addresses(["anything"])
except NativeUnavailable as error:
    print(error.reason)
"""
    assert run_python("-c", program).stdout.startswith("LLVM does not load: ")


def test_importing_kadam_does_not_load_llvm(run_python: Run) -> None:
    program = "import sys, kadam; print([name for name in sys.modules if name.startswith('llvmlite')])"
    assert run_python("-c", program).stdout.strip() == "[]"


# The disk


def test_a_stored_object_is_loaded_again(own_cache: Path) -> None:
    key, payload = bytes(range(32)), b"some code"
    assert objects.load(key) is None
    assert objects.store(key, payload)
    assert objects.load(key) == payload
    if os.name == "posix":
        assert own_cache.stat().st_mode & 0o777 == 0o700
        assert [one.stat().st_mode & 0o777 for one in own_cache.iterdir()] == [0o600]


def test_a_damaged_file_is_never_loaded_and_goes(own_cache: Path) -> None:
    key, payload = os.urandom(32), os.urandom(500)
    chance = random.Random(7)
    for trial in range(300):
        objects.store(key, payload)
        (path,) = own_cache.iterdir()
        content = bytearray(path.read_bytes())
        if trial % 3 == 0:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        elif trial % 3 == 1:
            del content[chance.randrange(len(content)) :]
        else:
            content += b"x"
        path.write_bytes(content)
        before = stats().objects_rejected
        assert objects.load(key) is None
        assert stats().objects_rejected == before + 1
        assert not path.exists()


def test_a_file_stored_under_another_key_is_not_taken(own_cache: Path) -> None:
    objects.store(b"a" * 32, b"code")
    (path,) = own_cache.iterdir()
    path.rename(path.with_name((b"b" * 32).hex() + ".o"))
    assert objects.load(b"b" * 32) is None


def test_whole_files_that_do_not_link_are_compiled_again(own_cache: Path) -> None:
    text = unique(SCALE)
    objects.store(build._key(text), b"whole, and no object file")
    before = stats()
    assert build.addresses([text])[0]
    assert stats().kernels_compiled == before.kernels_compiled + 1
    assert stats().objects_rejected == before.objects_rejected + 1


@POSIX
@pytest.mark.parametrize("which", ["file", "directory"])
@pytest.mark.parametrize("how", ["writable by others", "owned by another"])
def test_what_others_could_have_written_is_not_trusted(
    which: str, how: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = os.urandom(32)
    objects.store(key, b"code")
    (path,) = own_cache.iterdir()
    suspect = path if which == "file" else own_cache
    if how == "writable by others":
        suspect.chmod(0o770)
    elif os.geteuid() == 0:
        os.chown(suspect, 4711, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert objects.load(key) is None
    if which == "directory":
        assert not objects.store(key, b"code")


@POSIX
def test_a_link_is_not_followed(own_cache: Path, tmp_path: Path) -> None:
    key = os.urandom(32)
    objects.store(key, b"code")
    (path,) = own_cache.iterdir()
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert objects.load(key) is None


@pytest.mark.parametrize("obstacle", ["off", "a file in its place", "no directory can be made", "no home"])
def test_without_a_place_on_the_disk_nothing_is_missed(
    obstacle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if obstacle == "off":
        monkeypatch.setenv("KADAM_CACHE", "off")
    elif obstacle == "a file in its place":
        (tmp_path / "cache").write_text("in the way")
    elif obstacle == "no directory can be made":
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("KADAM_CACHE_DIR", str(tmp_path / "file" / "cache"))
    else:
        monkeypatch.delenv("KADAM_CACHE_DIR")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert not objects.store(b"k" * 32, b"code")
    assert objects.load(b"k" * 32) is None
    assert build.addresses([unique(SCALE)])[0]


def test_a_disk_that_fills_up_leaves_nothing_behind(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects.store(b"a" * 32, b"code")

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert not objects.store(b"k" * 32, b"code")
    assert [one.suffix for one in own_cache.iterdir()] == [".o"]


def test_the_cache_stays_within_its_bound(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KADAM_CACHE_SIZE_MB", "1")
    keys = [os.urandom(32) for _ in range(300)]
    now = time.time()
    for age, key in enumerate(keys):
        objects.store(key, bytes(8192))
        os.utime(objects._path(own_cache, key), (now - 10_000 + age, now - 10_000 + age))
    size = sum(one.stat().st_size for one in own_cache.iterdir())
    assert size < 1.5 * 2**20
    assert objects.load(keys[0]) is None
    assert objects.load(keys[-1]) is not None


def test_a_use_keeps_an_object_and_is_noted_once_a_day(own_cache: Path) -> None:
    for name in (b"a", b"b", b"c"):
        objects.store(name * 32, bytes(5000))
    week = time.time() - 7 * 24 * 3600
    for path in own_cache.iterdir():
        os.utime(path, (week, week))
    assert objects.load(b"b" * 32) is not None
    used = objects._path(own_cache, b"b" * 32)
    assert used.stat().st_mtime > time.time() - 60
    noted = time.time() - 3600
    os.utime(used, (noted, noted))
    objects.load(b"b" * 32)
    assert used.stat().st_mtime == pytest.approx(noted)
    objects.shrink(own_cache, 10_000)
    assert [one.name for one in own_cache.iterdir()] == [used.name]


def test_unfinished_files_of_dead_processes_go(own_cache: Path) -> None:
    objects.store(b"a" * 32, b"code")
    old, new = own_cache / "old.tmp", own_cache / "new.tmp"
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (0, 0))
    objects.shrink(own_cache, 1 << 20)
    assert (old.exists(), new.exists()) == (False, True)


BUILDING = f"""
import ctypes, sys
import numpy as np
from kadam.engines.native import build
from kadam.engines.native.launch import Launch, Launches
from kadam.engines.native.stats import stats
texts = [f"; {{number}}\\n" + {SCALE!r} for number in range(12)]
for address in build.addresses(texts):
    program = Launches(3, {{}}, [(0, False), (1, True)], [2], [Launch(address, (0, 1, 2), 5)])
    x, y = np.arange(5.0), np.zeros(5)
    assert program.call([x, 3.0], [y]) == 0 and (y == 3 * x).all()
found = stats()
print(found.kernels_compiled, found.kernels_loaded)
"""


def test_the_next_process_finds_the_code(run_python: Run) -> None:
    first, second = (run_python("-c", BUILDING) for _ in range(2))
    assert first.stdout.split() == ["13", "0"], first.stderr  # with the engine's own code
    assert second.stdout.split() == ["0", "13"], second.stderr


def test_processes_share_a_cache_while_it_is_damaged(own_cache: Path) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", BUILDING], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    chance = random.Random(3)
    while any(one.poll() is None for one in running):
        for path in list(own_cache.glob("*.o")):
            if chance.random() < 0.2:
                try:
                    content = bytearray(path.read_bytes())
                    content[chance.randrange(len(content))] ^= 0xFF
                    path.write_bytes(content)  # in place, as a reader may be reading
                except (FileNotFoundError, ValueError):
                    pass
        time.sleep(0.01)
    for one in running:
        said, complained = one.communicate()
        assert one.returncode == 0, complained.decode()
        assert sum(map(int, said.split())) == 13


# Launches


@pytest.mark.usefixtures("any_layout")
@pytest.mark.parametrize("grain", [0, 1, 7, 100, 1000])
def test_a_program_computes(grain: int) -> None:
    program, x, y = scaled(100, grain)
    assert program.call([x, 2.5], [y]) == 0
    np.testing.assert_array_equal(y, x * 2.5)
    again = np.zeros(100)
    assert program.call([x, np.array(-3.0)], [again]) == 0  # a number as an array
    np.testing.assert_array_equal(again, x * -3.0)
    assert program.call([np.frombuffer(x.tobytes()), 0.5], [y]) == 0  # an array that cannot be written
    np.testing.assert_array_equal(y, x * 0.5)


class OwnArray(np.ndarray[Any, Any]):
    pass


@pytest.mark.usefixtures("any_layout")
def test_what_is_not_as_promised_is_refused_before_anything_runs() -> None:
    program, x, y = scaled(4, 0)
    askew = np.zeros(33, np.uint8)[1:].view(np.float64)
    for bad in (np.zeros(8)[::2], askew, np.zeros((2, 4)).T, x.view(OwnArray), [1.0] * 4, 1.0, None):
        assert program.call([bad, 2.0], [y]) == -1
    for bad in (2, True, np.float64(2), np.array(2), np.array(2, np.float32), np.array(2, ">f8"), x[::2], "2", None):
        assert program.call([x, bad], [y]) == -2
    frozen = np.zeros(4)
    frozen.flags.writeable = False
    for outputs in ([], [y, y], (y,), None, [frozen], [np.zeros(8)[::2]], [[0.0]], [None]):
        assert program.call([x, 2.0], outputs) == BAD_CALL  # type: ignore[arg-type]
    for feeds in ([x], [x, 2.0, 2.0], (x, 2.0), None):
        assert program.call(feeds, [y]) == BAD_CALL  # type: ignore[arg-type]
    assert not y.any()
    assert program.call([x, 2.0], [y]) == 0


def test_a_wrong_number_of_arguments_is_a_bad_call() -> None:
    program, x, y = scaled(4, 0)
    call: Callable[..., int] = program.call
    assert call([x, 2.0]) == call() == call([x, 2.0], [y], []) == BAD_CALL


@pytest.mark.usefixtures("any_layout")
def test_a_program_without_inputs_and_outputs_runs() -> None:
    counts = np.zeros(10, np.int64)
    (address,) = build.addresses([COUNT])
    program = Launches(1, {0: counts.ctypes.data}, [], [], [Launch(address, (0,), 10), Launch(address, (0,), 0, 3)])
    assert program.call([], []) == 0
    assert counts.tolist() == [1] * 10


@pytest.mark.usefixtures("any_layout")
@pytest.mark.parametrize("grain", [0, 2])
def test_an_error_in_the_data_ends_the_program(grain: int) -> None:
    check, count = build.addresses([CHECK, COUNT])
    counts = np.zeros(1, np.int64)
    launches = [
        Launch(count, (2,), 1),
        Launch(check, (0, 1), 8, grain, checks=True),
        Launch(count, (2,), 1),
    ]
    program = Launches(3, {2: counts.ctypes.data}, [(0, False)], [], launches, error=1)
    good, bad = np.zeros(8, np.int64), np.array([0, 0, 0, 0, 0, 77, 0, 0])
    assert [program.call([one], []) for one in (good, bad, good)] == [0, 77, 0]
    assert counts[0] == 2 + 1 + 2
    code, times = program.call_timed([bad], [])
    assert (code, times[2]) == (77, 0.0)


@pytest.mark.usefixtures("any_layout")
def test_launches_are_timed() -> None:
    slow, scale = build.addresses([SLOW, SCALE])
    launches = [Launch(scale, (0, 1, 2), 4), Launch(slow, (), 1), Launch(scale, (0, 1, 2), 4)]
    program = Launches(3, {}, [(0, False), (1, True)], [2], launches)
    x, y = np.arange(4.0), np.zeros(4)
    started = time.perf_counter()
    code, times = program.call_timed([x, 2.0], [y])
    elapsed = time.perf_counter() - started
    assert code == 0
    assert len(times) == 3
    np.testing.assert_array_equal(y, 2 * x)
    assert times[1] == max(times)
    assert 1e-3 < sum(times) <= elapsed
    assert program.call_timed([x, 2], [y]) == (-2, [0.0, 0.0, 0.0])


def test_the_owner_of_the_memory_lives_as_long_as_the_call() -> None:
    class Arena:
        pass

    arena = Arena()
    gone = weakref.ref(arena)
    program, x, y = scaled(4, 0, owner=arena)
    call = program.call
    del arena, program
    gc.collect()
    assert gone() is not None
    assert call([x, 2.0], [y]) == 0
    np.testing.assert_array_equal(y, 2 * x)
    del call
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("release", [True, False])
def test_a_call_leaks_no_references(release: bool) -> None:
    program, x, y = scaled(4, 0, release=release)
    number = 123.456
    feeds, outputs = [x, number], [y]
    watched = (x, y, number, feeds, outputs)
    before = [sys.getrefcount(one) for one in watched]
    for _ in range(100):
        program.call(feeds, outputs)
        program.call([None, number], outputs)
    assert [sys.getrefcount(one) for one in watched] == before


def test_other_threads_run_while_a_long_program_does() -> None:
    (address,) = build.addresses([SLOW])
    program = Launches(0, {}, [], [], [Launch(address, (), 1)] * 10)
    done = threading.Event()
    ticks = 0

    def work() -> None:
        program.call([], [])
        done.set()

    threading.Thread(target=work).start()
    while not done.is_set():
        ticks += 1
        time.sleep(0.001)
    assert ticks >= 10


def test_objects_lie_as_expected() -> None:
    assert cpython.is_true(cpython.EXPECTED)  # of the Pythons that the project is tested with


@pytest.mark.parametrize("field", list(cpython.EXPECTED.__dataclass_fields__))
def test_objects_that_lie_otherwise_are_noticed(field: str) -> None:
    values = vars(cpython.EXPECTED)
    if field != "list_items":  # a wrong pointer is not followed: what stands around it is looked at first
        assert not cpython.is_true(cpython.Layout(**{**values, field: values[field] + 8}))


def test_tables_are_laid_out_by_one_hand() -> None:
    assert {one.__name__ for one in TABLES} == {
        *("Launch", "Link", "Chain", "Feed", "Program", "Moving", "Repeat", "Process", "Team")
    }
    for far_apart in ("state", "done", "kernel", "parked"):
        assert getattr(Team, far_apart).offset % 128 == 0
    assert ctypes.sizeof(Program) % 8 == ctypes.sizeof(Process) % 8 == 0


# The team


@pytest.mark.usefixtures("any_layout")
@pytest.mark.parametrize("helpers", [1, 2, 3, 8])
def test_every_task_runs_once_whoever_runs_it(helpers: int) -> None:
    threads.set_threads(helpers)
    (address,) = build.addresses([COUNT])
    chance = random.Random(helpers)
    for _ in range(40):
        tasks = chance.choice([1, 2, 3, 10, 1000, 20_000])
        counts = np.zeros(tasks, np.int64)
        grains = [chance.choice([0, 1, 2, 7, tasks, tasks + 5, 100]) for _ in range(30)]
        program = Launches(1, {}, [], [0], [Launch(address, (0,), tasks, grain) for grain in grains])
        assert program.call([], [counts]) == 0
        assert (counts == 30).all()
        if chance.random() < 0.2:
            time.sleep(0.001)  # the helpers fall asleep


def test_threads_run_programs_while_the_team_changes() -> None:
    (address,) = build.addresses([COUNT])
    ended = threading.Event()
    wrong: list[str] = []

    def work() -> None:
        counts = np.zeros(500, np.int64)
        program = Launches(1, {}, [], [0], [Launch(address, (0,), 500, 10)] * 5)
        runs = 0
        while not ended.is_set():
            program.call([], [counts])
            runs += 1
        if not (counts == 5 * runs).all():
            wrong.append(f"{counts.min()} to {counts.max()} instead of {5 * runs}")

    workers = [threading.Thread(target=work) for _ in range(4)]
    for one in workers:
        one.start()
    for change in range(60):
        threads.set_threads(change % 5 + 1)
        time.sleep(0.005)
    ended.set()
    for one in workers:
        one.join()
    assert not wrong


@pytest.mark.usefixtures("any_layout")
@pytest.mark.parametrize("release", [True, False])
def test_threads_that_call_one_program_take_turns(release: bool) -> None:
    # What the first launch leaves in the arena is the second one's input.
    (address,) = build.addresses([SCALE])
    arena = np.zeros(2000)
    launches = [Launch(address, (0, 1, 3), 2000, 100), Launch(address, (3, 1, 2), 2000, 100)]
    fixed = {3: arena.ctypes.data}
    program = Launches(4, fixed, [(0, False), (1, True)], [2], launches, release=release, owner=arena)
    wrong: list[float] = []

    def work(factor: float) -> None:
        x = np.arange(2000.0) + factor
        for _ in range(200):
            y = np.zeros(2000)
            if program.call([x, factor], [y]) != 0 or not (y == x * factor * factor).all():
                wrong.append(factor)

    workers = [threading.Thread(target=work, args=(float(factor),)) for factor in range(1, 6)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert not wrong


@POSIX
def test_a_fork_computes_on_its_own() -> None:
    program, x, y = scaled(20_000, 50)
    (slow,) = build.addresses([SLOW])
    other = Launches(0, {}, [], [], [Launch(slow, (), 2, 1)] * 10)
    for moment in range(6):
        program.call([x, 1.0], [y])
        busy = threading.Thread(target=other.call, args=([], []))
        busy.start()  # another thread is in a program, and has its lock and the team's
        time.sleep(0.002 * moment)
        child = os.fork()
        if child == 0:
            right = program.call([x, 3.0], [y]) == 0 and bool((y == 3 * x).all())
            right = right and other.call([], []) == 0 and bool(build.addresses([unique(SCALE)])[0])
            threads.set_threads(3)
            right = right and program.call([x, 4.0], [y]) == 0 and bool((y == 4 * x).all())
            os._exit(0 if right else 1)
        deadline = time.monotonic() + 30
        while (ended := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.005)
        if ended[0] == 0:
            os.kill(child, 9)
            os.waitpid(child, 0)
            pytest.fail("the child hangs")
        assert ended[1] == 0
        busy.join()
        assert program.call([x, 2.0], [y]) == 0
        np.testing.assert_array_equal(y, 2 * x)


EXITING = f"""
import threading, time
import numpy as np
from kadam.engines.native import build, threads
from kadam.engines.native.launch import Launch, Launches
threads.set_threads(4)
(address,) = build.addresses([{COUNT!r}])
counts = np.zeros(1000, np.int64)
program = Launches(1, {{}}, [], [0], [Launch(address, (0,), 1000, 10)] * 10)
def forever():
    while True:
        program.call([], [counts])
threading.Thread(target=forever, daemon=True).start()
time.sleep(0.05)
print("bye")
"""


def test_an_exit_waits_for_nobody(run_python: Run) -> None:
    started = time.perf_counter()
    done = run_python("-c", EXITING)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "bye", "")
    assert time.perf_counter() - started < 20


def test_an_idle_team_uses_no_time() -> None:
    threads.set_threads(4)
    program, x, y = scaled(10_000, 10)
    program.call([x, 2.0], [y])
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.05


@pytest.mark.parametrize(("variable", "count"), [("3", 3), ("5,2", 5), ("", None), ("none", None), ("0", None)])
def test_the_first_number_of_threads(variable: str, count: int | None, run_python: Run) -> None:
    program = "from kadam.engines.native import threads; print(threads.threads())"
    done = run_python("-c", program, env={"OMP_NUM_THREADS": variable})
    assert int(done.stdout) == (count or threads.cores()), done.stderr


def test_the_surface_sets_the_threads() -> None:
    kadam.set_num_threads(3)
    assert threads.threads() == kadam.get_num_threads() == 3
    with pytest.raises(RuntimeError, match="positive"):
        kadam.set_num_threads(0)


def test_a_helper_that_gets_no_core_is_not_waited_for_again() -> None:
    """A stall makes the team rest: its deadline moves beyond now."""
    own = team.runtime()
    table = Team.from_address(own.team)
    program, x, y = scaled(1000, 10)
    table.rest_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC) + 10**12
    state = table.state
    assert program.call([x, 2.0], [y]) == 0
    assert table.state == state  # no job was published
    np.testing.assert_array_equal(y, 2 * x)
    table.rest_ns = 0
    assert program.call([x, 3.0], [y]) == 0
    assert table.state != state
    np.testing.assert_array_equal(y, 3 * x)


def test_a_target_is_one_record() -> None:
    assert isinstance(host(), Target)
    with pytest.raises(AttributeError):
        host().cpu = "other"  # type: ignore[misc]
