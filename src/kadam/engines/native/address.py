"""Addresses, as the processor and LLVM see them."""

from __future__ import annotations

from kadam.engines.native.writer import Writer


def fixed(writer: Writer, address: str) -> str:
    """The same address, of which LLVM must not know how it came about.

    Otherwise its strength reduction makes a pointer of its own of every address near it, and takes long over it.
    """
    name = writer.name()
    writer.do(f'{name} = call ptr asm "", "=r,0"(ptr {address})')
    return name


def prefetch(writer: Writer, address: str, *, write: bool = False) -> None:
    """Bring the memory at an address into the cache, to be read or written; any address will do."""
    writer.declare("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
    writer.do(f"call void @llvm.prefetch.p0(ptr {address}, i32 {int(write)}, i32 3, i32 1)")
