"""Kadam's own Python as machine code: the functions that run at every step, compiled as the steps are.

`statements`, `expressions`, `calls` and `conditions` say what each piece of a function becomes, `frame` knows its names
and `unit` what functions share; `text` writes LLVM's language, `table` has what the code reads of this process, and
`jump` lets the functions jump into it.
"""

from kadam.engines.native.own.jump import compile_callers, compile_own, functions, install

__all__ = ["compile_callers", "compile_own", "functions", "install"]
