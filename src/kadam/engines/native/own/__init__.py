"""Kadam's own Python as machine code: the functions that run at every step, compiled as the steps are.

`syntax` says what of a function each piece of Python becomes, `text` writes LLVM's language, `table` has what the code
reads of this process, and `jump` lets the functions jump into it.
"""

from kadam.engines.native.own.jump import compile_callers, compile_own, functions, install

__all__ = ["compile_callers", "compile_own", "functions", "install"]
