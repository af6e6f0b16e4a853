"""From a kernel's text to object code: LLVM's passes that pay for what the engine writes, then its code generator.

The texts come with explicit vectors, and with allocas for what loops carry. So SROA (allocas to registers), InstCombine
and SimplifyCFG leave little undone: LLVM's own O1 costs half as much again per kernel and its code ran no faster. The
code generator takes two thirds of the time at any level.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from typing import Any

from kadam.engines.native.llvm import NativeUnavailable, binding
from kadam.engines.native.target import Target

OPTIMISATION = 2  # of the code generator; 3 is no faster on these texts


class Compiler:
    """LLVM's pass and code generators for one processor. One thread may use one at a time."""

    def __init__(self, target: Target) -> None:
        llvm = binding()
        self._machine = machine(target)
        self._tuning = llvm.create_pipeline_tuning_options(speed_level=OPTIMISATION)
        self._builder = llvm.create_pass_builder(self._machine, self._tuning)
        self._passes = llvm.create_new_module_pass_manager()
        self._passes.add_always_inliner_pass()  # what the engine's own code is made of
        self._passes.add_global_dead_code_eliminate_pass()
        self._passes.add_sroa_pass()
        self._passes.add_instruction_combine_pass()
        self._passes.add_simplify_cfg_pass()

    def object_code(self, text: str) -> bytes:
        """The object file of a module.

        Raises:
            NativeUnavailable: LLVM does not take the text.
        """
        llvm = binding()
        try:
            # The module must go before its context, also if an error keeps both in its traceback.
            with llvm.parse_assembly(text, llvm.create_context()) as module:
                module.verify()
                _unlocked("LLVMPY_RunNewModulePassManager")(self._passes, module, self._builder)
                return self._emit(module)
        except RuntimeError as error:
            raise NativeUnavailable(f"LLVM refused a kernel: {error}") from error

    def assembly(self, text: str) -> str:
        """The assembler text of a module, for people to read."""
        llvm = binding()
        module = llvm.parse_assembly(text, llvm.create_context())
        self._passes.run(module, self._builder)
        return str(self._machine.emit_assembly(module))

    def _emit(self, module: Any) -> bytes:
        lib = binding().ffi.lib
        with binding().ffi.OutputString() as said:
            buffer = _unlocked("LLVMPY_TargetMachineEmitToMemory")(self._machine, module, 1, said)
            if not buffer:
                raise RuntimeError(str(said))
        try:
            return ctypes.string_at(lib.LLVMPY_GetBufferStart(buffer), lib.LLVMPY_GetBufferSize(buffer))
        finally:
            lib.LLVMPY_DisposeMemoryBuffer(buffer)


def machine(target: Target) -> Any:
    """LLVM's code generator for a processor: position-independent, so that addresses are short."""
    llvm = binding()
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=OPTIMISATION, reloc="pic", codemodel="small", jit=True
    )


def compile_all(target: Target, texts: Sequence[str]) -> list[bytes]:
    """The object code of each text, compiled by as many threads as there are cores.

    Raises:
        NativeUnavailable: LLVM does not take one of the texts.
    """
    # The longest first: a long one that starts last would keep one core busy alone.
    waiting = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    objects = [b""] * len(texts)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            compiler = _idle.pop() if _idle else Compiler(target)
            while not failures:
                try:
                    index = waiting.pop()
                except IndexError:
                    break
                objects[index] = compiler.object_code(texts[index])
            _idle.append(compiler)
        except BaseException as error:  # it belongs to the thread that asked
            failures.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(target.cores, len(texts)) - 1)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return objects


_idle: list[Compiler] = []
_raw: dict[str, Callable[..., Any]] = {}


def _unlocked(name: str) -> Callable[..., Any]:
    """A function of llvmlite's library, called without llvmlite's lock.

    llvmlite lets one thread at a time into LLVM. LLVM itself asks only that a context, and what hangs on it, is used by
    one thread at a time; each module here has a context of its own. The long calls go without the lock: on two cores
    60 kernels took 138 ms instead of 278 ms. If a later llvmlite hides its library, the lock is kept.
    """
    if name not in _raw:
        locked = getattr(binding().ffi.lib, name)
        try:
            function = getattr(ctypes.CDLL(binding().ffi.lib._name), name)
            function.argtypes, function.restype = locked.argtypes, locked.restype
            _raw[name] = function
        except (AttributeError, OSError):
            _raw[name] = locked
    return _raw[name]
