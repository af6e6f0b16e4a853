"""Errors of PyTorch's compiler, for programs that catch them: Kadam raises none of them."""

from __future__ import annotations


class TorchDynamoException(RuntimeError):  # noqa: N818  (PyTorch's name)
    """An error of PyTorch's compiler."""


class Unsupported(TorchDynamoException):
    """PyTorch's compiler does not know what a program does."""


class BackendCompilerFailed(TorchDynamoException):
    """A graph that PyTorch's compiler made could not be compiled."""


__all__ = ["BackendCompilerFailed", "TorchDynamoException", "Unsupported"]
