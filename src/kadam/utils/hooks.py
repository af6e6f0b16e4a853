"""What registering a hook returns. As `torch.utils.hooks`."""

from kadam.recording.hooks import Handle as RemovableHandle

__all__ = ["RemovableHandle"]
