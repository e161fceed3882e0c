"""Which settings a sweep tries; a choice and a file share one name."""

from twotower.sweeping.search.base import Asking, Search, Setting

__all__ = ["Asking", "Search", "Setting"]
