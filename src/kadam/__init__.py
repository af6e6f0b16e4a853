"""Kadam: trains neural networks; runs PyTorch scripts unchanged."""
