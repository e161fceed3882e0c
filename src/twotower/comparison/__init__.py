"""Paired comparison of trained models, user by user."""

from twotower.comparison.compared import Compared
from twotower.comparison.comparison import Comparison
from twotower.comparison.model import Model, Repeat

__all__ = ["Compared", "Comparison", "Model", "Repeat"]
