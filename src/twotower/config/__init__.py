"""The config: composed by Hydra, checked whole before any data is read, then instantiated."""

from twotower.config.axes import Axis, axes, combinations, with_params
from twotower.config.baselines import with_baselines
from twotower.config.check import check
from twotower.config.compose import (
    build,
    build_as,
    build_part,
    build_stored,
    compose,
    compose_from,
    hydra_folder,
    hydra_node,
    hydra_value,
    lines_of,
    plain,
    shared,
)
from twotower.config.describe import describe
from twotower.config.flags import parse_flags, shown_flags
from twotower.config.hydra_part import check_hydra
from twotower.config.instantiate import Configured
from twotower.config.kinds import AlsoReads, Contract, KeywordsOf
from twotower.config.overrides import lenient
from twotower.config.render import command, literal, render, render_value
from twotower.config.repeats import REPEATS, with_repeats, with_seeds
from twotower.config.source import Source, searchpath_of
from twotower.config.tree import CONF_DIR

__all__ = [
    "CONF_DIR",
    "REPEATS",
    "AlsoReads",
    "Axis",
    "Configured",
    "Contract",
    "KeywordsOf",
    "Source",
    "axes",
    "build",
    "build_as",
    "build_part",
    "build_stored",
    "check",
    "check_hydra",
    "combinations",
    "command",
    "compose",
    "compose_from",
    "describe",
    "hydra_folder",
    "hydra_node",
    "hydra_value",
    "lenient",
    "lines_of",
    "literal",
    "parse_flags",
    "plain",
    "render",
    "render_value",
    "searchpath_of",
    "shared",
    "shown_flags",
    "with_baselines",
    "with_params",
    "with_repeats",
    "with_seeds",
]
