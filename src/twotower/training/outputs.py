"""What Lightning writes of a fit: logs of metrics, and profiles."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger, MLFlowLogger
from pytorch_lightning.profilers import PassThroughProfiler, Profiler
from pytorch_lightning.utilities.exceptions import (  # type: ignore[attr-defined]
    MisconfigurationException,
)

from twotower.core.errors import ErrorEntry
from twotower.training.folders import PROFILES

__all__ = [
    "log_profile",
    "loggers_of_fit",
    "output_errors",
    "profiler_of_fit",
    "profiles",
]

logger = logging.getLogger(__name__)

_ROWS = 24  # of a profile that are logged

Loggers = Mapping[str, Callable[..., Logger]]


def loggers_of_fit(loggers: Loggers, folder: Path) -> list[Logger]:
    """Return the loggers; those that write files have a folder of their own below `folder`."""
    return [make(**_known(make, save_dir=str(folder / name))) for name, make in loggers.items()]


def profiler_of_fit(profiler: Callable[..., Profiler], folder: Path) -> Profiler | None:
    """Return the profiler, which writes to a folder below `folder`; None if it measures nothing."""
    if not profiles(profiler):
        return None
    return profiler(**_known(profiler, dirpath=str(folder / PROFILES), filename="profile"))


def profiles(profiler: Callable[..., Profiler]) -> bool:
    """Return whether a profiler measures anything."""
    return _made_by(profiler) is not PassThroughProfiler


def log_profile(folder: Path) -> None:
    """Log the first rows of each profile of a fit, and where the whole is."""
    for path in sorted((folder / PROFILES).glob("*.txt")):
        rows = path.read_text().expandtabs().splitlines()
        shown = "\n".join(rows[:_ROWS])
        rest = f"\n({len(rows) - _ROWS} more rows)" if len(rows) > _ROWS else ""
        logger.info("%s\n%s%s", path, shown, rest)


def output_errors(loggers: Loggers, profiler: Callable[..., Profiler]) -> Iterator[ErrorEntry]:
    """Yield an error for each logger, and for the profiler, that cannot be made."""
    nowhere = Path("unused")  # nothing is written before a fit starts
    for name, make in loggers.items():
        key = f"logger.{name}"
        if _made_by(make) is MLFlowLogger:
            yield ErrorEntry(
                key, problem="MLflow is logged to by tracking", valid="set tracking instead"
            )
        else:
            yield from _making_errors(key, partial(loggers_of_fit, {name: make}, nowhere))
    yield from _making_errors("profiler", partial(profiler_of_fit, profiler, nowhere))


def _making_errors(key: str, make: Callable[[], object]) -> Iterator[ErrorEntry]:
    try:
        make()
    except ModuleNotFoundError as error:
        tensorboard = 'pip install "twotower[tensorboard]"'
        valid = tensorboard if key == "logger.tensorboard" else str(error).partition("\n")[0]
        yield ErrorEntry(key, problem="needs a package that is not installed", valid=valid)
    except (TypeError, ValueError, MisconfigurationException) as error:
        yield ErrorEntry(key, problem=str(error).partition("\n")[0])


def _known(make: Callable[..., Any], **given: Any) -> dict[str, Any]:
    """Return what of `given` is a parameter of `make` that the config does not set."""
    fixed = make.keywords if isinstance(make, partial) else {}
    names = signature(_made_by(make)).parameters
    return {name: value for name, value in given.items() if name in names and name not in fixed}


def _made_by(make: Callable[..., Any]) -> Any:
    return make.func if isinstance(make, partial) else make
