"""Sources of interactions and features: one class per source, each of them a `Dataset`."""

from twotower.dataset.base import Dataset, Streamable

__all__ = ["Dataset", "Streamable"]
