"""twotower: config-driven experiments with two-tower dot-product recommenders.

`run` trains and evaluates one model, `sweep` one per setting; `load` returns the model of a run,
`compare` compares runs, and `doctor` examines data before a run. Names and defaults are those of
the command line: an override `"tower.emb_dim=32"` means the same in both. The names in `__all__`
and their signatures are stable: they change only with a new minor version, after a version that
warns; whatever else can be imported may change at any time.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from twotower.api.compare import compare
from twotower.api.doctor import doctor
from twotower.api.load import load
from twotower.api.run import run
from twotower.api.sweep import sweep
from twotower.core.errors import (
    ConfigError,
    DataError,
    DownloadError,
    ResourceError,
    RunNotFoundError,
    SweepError,
    TrainingError,
    TwoTowerError,
)

if TYPE_CHECKING:
    from twotower.comparison import Compared
    from twotower.diagnosis import Diagnosis
    from twotower.running.result import Result
    from twotower.serving.recommender import Recommender

__all__ = [
    "Compared",
    "ConfigError",
    "DataError",
    "Diagnosis",
    "DownloadError",
    "Recommender",
    "ResourceError",
    "Result",
    "RunNotFoundError",
    "SweepError",
    "TrainingError",
    "TwoTowerError",
    "__version__",
    "compare",
    "doctor",
    "load",
    "run",
    "sweep",
]

__version__ = version("twotower")

_LATE = {  # classes whose modules take seconds to import
    "Compared": "twotower.comparison",
    "Diagnosis": "twotower.diagnosis",
    "Recommender": "twotower.serving.recommender",
    "Result": "twotower.running.result",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATE[name]), name)
