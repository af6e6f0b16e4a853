"""cuDNN's switches, which scripts set for reproducible runs; Kadam's runs are reproducible anyway."""

deterministic = False
benchmark = False
enabled = False
allow_tf32 = False


def is_available() -> bool:
    """False: there is no cuDNN."""
    return False


def version() -> None:
    """None: there is no cuDNN."""
