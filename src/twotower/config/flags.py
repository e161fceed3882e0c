"""Flags of the command line, separated from its overrides."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from twotower.core.errors import ConfigError

__all__ = ["parse_flags", "shown_flags"]

_Flags = dict[tuple[str, ...], dict[str, Any]]

_SWITCH: dict[str, Any] = {"action": "store_true"}
_VALUE: dict[str, Any] = {}
_SHOWN_CONFIGS = ("job", "hydra", "all")
_SHOWN_PARTS = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")

# Hydra's flags, of which `train` accepts all, and --version, which here is twotower's.
_TRAIN_FLAGS: _Flags = {
    ("--help", "-h"): _SWITCH,
    ("--hydra-help",): _SWITCH,
    ("--version",): _SWITCH,
    ("--cfg", "-c"): {"choices": _SHOWN_CONFIGS},
    ("--resolve",): _SWITCH,
    ("--package", "-p"): _VALUE,
    ("--run", "-r"): _SWITCH,
    ("--multirun", "-m"): _SWITCH,
    ("--shell-completion", "-sc"): _SWITCH,
    ("--config-path", "-cp"): _VALUE,
    ("--config-name", "-cn"): _VALUE,
    ("--config-dir", "-cd"): _VALUE,
    ("--experimental-rerun",): _VALUE,
    ("--info", "-i"): {"nargs": "?", "const": "all", "choices": _SHOWN_PARTS},
}
_OTHER_FLAGS: _Flags = {("--help", "-h"): _SWITCH, ("--config-dir", "-cd"): _VALUE}
_OF_COMMAND: dict[str, _Flags] = {
    "train": _TRAIN_FLAGS,
    "doctor": {**_OTHER_FLAGS, ("--html",): _VALUE},
}

# Flags that print something instead of running.
_SHOW = ("cfg", "info", "hydra_help", "shell_completion")


class _Parser(argparse.ArgumentParser):
    """A parser that raises instead of printing its usage and exiting."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(message)


def parse_flags(arguments: Sequence[str], command: str) -> argparse.Namespace:
    """Return Hydra's flags and, as `overrides`, all other words, in any order.

    `train` takes all of Hydra's flags, every other command `--config-dir` and `--help`; `doctor`
    takes `--html`, too.

    Raises:
        ConfigError: a flag does not exist or lacks its value.
    """
    accepted = _OF_COMMAND.get(command, _OTHER_FLAGS)
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*")
    for names, options in accepted.items():
        parser.add_argument(*names, **options)
    # An override may begin with a minus only by mistake: `-tower.emb_dim=8`.
    parsed, unknown = parser.parse_known_args(list(arguments))
    flags = [word for word in unknown if word.startswith("-")]
    if flags:
        raise ConfigError(_unknown(flags[0], accepted, command))
    parsed.overrides = [*parsed.overrides, *unknown]
    if command == "train":
        _check(parsed)
    return parsed


def shown_flags(parsed: argparse.Namespace) -> list[str]:
    """Return the flags for Hydra if the command only prints something, else an empty list."""
    if not any(getattr(parsed, name) for name in _SHOW):
        return []
    values = {"cfg": "--cfg", "info": "--info", "package": "--package"}
    switches = {"resolve": "--resolve", "hydra_help": "--hydra-help"}
    switches["shell_completion"] = "--shell-completion"
    flags = [w for name, flag in values.items() if (v := getattr(parsed, name)) for w in (flag, v)]
    return [*flags, *(flag for name, flag in switches.items() if getattr(parsed, name))]


def _unknown(flag: str, accepted: _Flags, command: str) -> str:
    known = [name for names in accepted for name in names]
    close = get_close_matches(flag.partition("=")[0], known, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    message = f"{flag}: no such flag of `twotower {command}`; {meant}Flags: {', '.join(known)}"
    hint = ". Values have no minus: key=value" if "=" in flag and not close else ""
    return message + hint


def _check(parsed: argparse.Namespace) -> None:
    """Raise ConfigError for flags that exclude each other or that have no use here."""
    if parsed.experimental_rerun is not None:
        raise ConfigError(
            "--experimental-rerun: not supported; the same command, or the run's config.yaml, "
            "repeats a run"
        )
    shown = [f"--{name.replace('_', '-')}" for name in _SHOW if getattr(parsed, name)]
    runs = [f"--{name}" for name in ("run", "multirun") if getattr(parsed, name)]
    if len(shown) > 1 or len(runs) > 1:
        raise ConfigError(f"{', '.join(shown or runs)}: exclude each other; must be one of them")
    if shown and runs:
        raise ConfigError(f"{runs[0]}: got {shown[0]}, which only shows something; must be without")
    for name in ("resolve", "package"):
        if getattr(parsed, name) and not parsed.cfg:
            raise ConfigError(f"--{name}: has a meaning with --cfg alone")
