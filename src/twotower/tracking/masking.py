"""What tracking masks with; see twotower.core.secrets."""

from twotower.core.secrets import mask, mask_all

__all__ = ["mask", "mask_all"]
