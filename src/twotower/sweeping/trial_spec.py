"""A planned trial, and the part of it that the process that runs it reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from twotower.core.files import read_json, write_json

__all__ = ["Trial", "TrialSpec"]

_FILE = "trial.json"


@dataclass(frozen=True)
class TrialSpec:
    """Saved in the folder of a trial, for the process that runs it.

    Attributes:
        hash: identity of the trial, from its resolved config and its split.
        repeat: values of the keys that repeat a setting, such as `{"split.fold": 2, "seed": 0}`.
        baselines: digest of the baselines that the trial is measured against.
        place: its number in the sweep, such as `3/12`.
        tests: whether to score the test part.
        study: what the search needs in order to prune the trial; None if it does not prune.
    """

    hash: str
    name: str
    setting: str
    overrides: tuple[str, ...]
    varied: dict[str, Any]
    seed: int
    repeat: dict[str, Any]
    baselines: str
    place: str
    parent_id: str | None
    tests: bool
    study: dict[str, Any] | None

    def save(self, folder: Path) -> None:
        """Write the spec to `folder`, for `load` in another process."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / _FILE, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> TrialSpec | None:
        """Return the spec in `folder`; None if it is not the folder of a trial."""
        content = read_json(folder / _FILE)
        if content is None:
            return None
        return cls(**{**content, "overrides": tuple(content["overrides"])})


@dataclass(frozen=True)
class Trial:
    """A trial, before or after it ran.

    Attributes:
        line: overrides that make its config, without those that the launcher adds.
        folder: where it runs and where its result is saved.
        split_digest: identity of its prepared split.
    """

    spec: TrialSpec
    line: tuple[str, ...]
    folder: Path
    split_digest: str
