"""The config: composed by Hydra, checked whole before any data is read, then instantiated."""

from twotower.config.check import check
from twotower.config.compose import build, compose, plain
from twotower.config.overrides import combinations, lenient
from twotower.config.tree import CONF_DIR

__all__ = ["CONF_DIR", "build", "check", "combinations", "compose", "lenient", "plain"]
