"""Seeds and states of the default generator. As `torch.random`."""

from kadam.ops.random import fork_rng, get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from kadam.recording.generator import default_generator

__all__ = ["default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state"]
