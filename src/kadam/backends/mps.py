"""Apple's GPUs, which Kadam does not compute on."""


def is_available() -> bool:
    """False: Kadam computes on the CPU."""
    return False


def is_built() -> bool:
    """False: Kadam computes on the CPU."""
    return False
