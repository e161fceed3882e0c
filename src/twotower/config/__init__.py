"""The config: composed by Hydra, checked whole before any data is read, then instantiated."""

from twotower.config.baselines import with_baselines
from twotower.config.check import check
from twotower.config.compose import build, build_part, build_stored, compose, plain
from twotower.config.kinds import Contract, KeywordsOf
from twotower.config.overrides import Axis, axes, combinations, lenient, with_seeds
from twotower.config.render import command, literal, render
from twotower.config.tree import CONF_DIR

__all__ = [
    "CONF_DIR",
    "Axis",
    "Contract",
    "KeywordsOf",
    "axes",
    "build",
    "build_part",
    "build_stored",
    "check",
    "combinations",
    "command",
    "compose",
    "lenient",
    "literal",
    "plain",
    "render",
    "with_baselines",
    "with_seeds",
]
