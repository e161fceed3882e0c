"""Where interactions and features come from: one class a source, all of them a `Dataset`."""

from twotower.dataset.base import Dataset

__all__ = ["Dataset"]
