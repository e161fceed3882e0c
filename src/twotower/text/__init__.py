"""Texts: what turns a text, such as a title, into a vector."""

from twotower.text.bag import Bag
from twotower.text.base import TextEncoder

__all__ = ["Bag", "TextEncoder"]
