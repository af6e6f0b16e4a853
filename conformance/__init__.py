"""PyTorch's own sample inputs, modules and optimizers, run against Kadam: `python -m conformance --help`."""
