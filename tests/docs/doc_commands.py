"""Run the commands of the documentation in this process, at the size of a test."""

from __future__ import annotations

import logging
import re
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from twotower.cli import main

ROOT = Path(__file__).parents[2]
# What a command of the documentation is cut to, unless it sets the key itself.
EPOCHS = "trainer.max_epochs=2"
TRIALS = "hydra.sweeper.search.n_trials=3"
REPEATS = {"seeds": 2, "folds": 2}
VALUES = 2  # of the first key of a sweep, and one of each other key
# Commands that are for people: they install, serve or edit.
FOR_PEOPLE = {"python3", "cd", "git", ".", "source", "pytest", "ruff", "mypy", "mlflow", "export"}


def run(command: list[str]) -> None:
    """Run one command, or check as much of it as a test can.

    Raises:
        AssertionError: The command failed, or names what does not exist.
    """
    program, *arguments = command
    if program == "twotower" and arguments[:1] != ["ui"]:
        _exits_well(small(arguments))
    elif program == "twotower":
        compose(arguments)
    elif program == "make":
        subprocess.run(["make", "-n", *arguments], cwd=ROOT, check=True, capture_output=True)
    elif program == "pip":
        _check_extras(" ".join(arguments))
    elif program == "python":
        _check_script(*arguments)
    else:
        assert program in FOR_PEOPLE, f"no rule for {program}; see tests/docs/doc_commands.py"


def compose(arguments: list[str]) -> None:
    """Compose the config of a command, the first value of each key where it sweeps."""
    command, *rest = arguments
    if command == "train":
        overrides = [
            next(_values(override)) if override.is_sweep_override() else text
            for text, override in _parsed(_without_repeats(rest))
        ]
        flags = [word for word in rest if "=" not in word and word not in ("-m", "--multirun")]
        _exits_well(["train", *flags, *overrides, "--cfg", "job"])
    else:
        from twotower import config

        config.build(config.compose(command, [word for word in rest if "=" in word]))


def small(arguments: list[str]) -> list[str]:
    """Return the arguments of a command with fewer epochs, trials and repeats."""
    command, *rest = arguments
    if command != "train" or any(word.startswith(("--help", "--cfg")) for word in rest):
        return arguments
    kept = [word for word in rest if "=" not in word]
    values = VALUES
    for text, override in _parsed(rest):
        name, sweeps = override.key_or_group, override.is_sweep_override()
        if name in REPEATS:
            kept.append(f"{name}={REPEATS[name]}")
        elif sweeps and override.is_choice_sweep() and not _searches(rest):
            first = islice(override.sweep_string_iterator(), values)
            kept.append(f"{text.partition('=')[0]}={','.join(first)}")
            values = 1
        else:
            kept.append(text)
    if not any(word.startswith("trainer.max_epochs=") for word in rest):
        kept.append(EPOCHS)
    if _searches(rest) and not any(word.startswith("hydra.sweeper.search") for word in rest):
        kept.append(TRIALS)
    return [command, *kept]


def _searches(words: list[str]) -> bool:
    return bool({"hydra/sweeper=random", "hydra/sweeper=optuna"} & set(words))


def _parsed(words: list[str]) -> list[tuple[str, Override]]:
    overrides = [word for word in words if "=" in word and not word.startswith("--")]
    parser = OverridesParser.create()
    return list(zip(overrides, parser.parse_overrides(overrides), strict=True))


def _without_repeats(words: list[str]) -> list[str]:
    return [word for word in words if word.partition("=")[0] not in REPEATS]


def _values(override: Override) -> Iterator[str]:
    """Yield `key=value` for each value of a sweep's key."""
    key = str(override.input_line).partition("=")[0]
    return (f"{key}={value}" for value in override.sweep_string_iterator())


def _exits_well(arguments: list[str]) -> None:
    code: Any = None
    with _own_logging():
        try:
            main(arguments)
        except SystemExit as stop:
            code = stop.code
    assert not code, f"twotower {' '.join(arguments)}\n{code}"


@contextmanager
def _own_logging() -> Iterator[None]:
    """Undo the logging that Hydra sets up, and close its files."""
    loggers = [logging.getLogger(name) for name in ("", "twotower", "hydra")]
    before = [(each.handlers[:], each.level, each.propagate) for each in loggers]
    try:
        yield
    finally:
        for each, (handlers, level, propagate) in zip(loggers, before, strict=True):
            for handler in set(each.handlers) - set(handlers):
                handler.close()
            each.handlers, each.propagate = handlers, propagate
            each.setLevel(level)


def _check_extras(text: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extras in re.findall(r"\[([\w,]+)\]", text):
        assert {*extras.split(",")} <= {*project["optional-dependencies"]}, text
    for file in re.findall(r"-c (\S+)", text):
        assert (ROOT / file).is_file(), text


def _check_script(script: str, *arguments: str) -> None:
    """The script exists and has each option; benchmarks take minutes to hours."""
    text = (ROOT / script).read_text()
    for option in (word for word in arguments if word.startswith("--")):
        assert f'"{option}"' in text, f"{script} has no {option}"
