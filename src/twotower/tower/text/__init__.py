"""Text encoders: a text, such as a title, as a vector."""

from twotower.tower.text.bag import Bag
from twotower.tower.text.base import TextEncoder, TextFactory

__all__ = ["Bag", "TextEncoder", "TextFactory"]
