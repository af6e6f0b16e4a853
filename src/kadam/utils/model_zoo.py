"""Weights by address, under their old name. As `torch.utils.model_zoo`."""

from kadam import missing
from kadam.hub import load_state_dict_from_url as load_url

__all__ = ["load_url"]

missing.install(__name__)
