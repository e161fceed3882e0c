"""Texts: what turns a text, such as a title, into a vector."""

from twotower.tower.text.bag import Bag
from twotower.tower.text.base import TextEncoder

__all__ = ["Bag", "TextEncoder"]
