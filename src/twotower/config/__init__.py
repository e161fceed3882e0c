"""The config: composed by Hydra, checked whole before any data is read, then instantiated."""

from twotower.config.check import check
from twotower.config.compose import CONF_DIR, build, combinations, compose, lenient, plain

__all__ = ["CONF_DIR", "build", "check", "combinations", "compose", "lenient", "plain"]
