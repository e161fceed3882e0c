"""What tracking masks with; see twotower.secrets."""

from twotower.secrets import mask, mask_all

__all__ = ["mask", "mask_all"]
