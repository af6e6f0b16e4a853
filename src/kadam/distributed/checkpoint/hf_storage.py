"""Files of safetensors that several processes write together. As `torch.distributed.checkpoint.hf_storage`."""

from __future__ import annotations

from kadam.absent import kinds

HuggingFaceStorageReader, HuggingFaceStorageWriter = kinds(
    "torch.distributed.checkpoint",
    "HuggingFaceStorageReader HuggingFaceStorageWriter",
    "safetensors.torch.save_file(tensors, path) and load_file(path).",
)

__all__ = ["HuggingFaceStorageReader", "HuggingFaceStorageWriter"]
