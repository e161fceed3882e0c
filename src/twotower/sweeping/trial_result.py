"""The result of a trial of a sweep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from twotower.core.files import read_json, write_atomically, write_json
from twotower.types.metric_name import MetricName

__all__ = ["State", "TrialResult"]

_FILE = "outcome.json"
_FRAMES = ("history", "per_user", "relevant")

State = Literal["finished", "pruned", "diverged", "failed"]


@dataclass(frozen=True)
class TrialResult:
    """How a trial ended, and what was measured; travels between processes.

    hash: identity of the trial, from its resolved config and its split.
    name: such as `emb_dim=32 num_negatives=10`.
    overrides: the command line of this trial alone, such as `tower.emb_dim=32`.
    varied: values of the keys that vary in the sweep, without the keys that repeat a setting.
    repeat: values of the keys that repeat a setting, such as `{"split.fold": 2, "seed": 0}`.
    baselines: digest of the baselines that it was measured against.
    state: finished, pruned (stopped early by the search), diverged (the loss was not finite) or
        failed.
    run_id: the MLflow run; None without tracking.
    error: one line; None unless diverged or failed.
    metrics: by their names in MLflow: `val/...` of the best epoch (so far, if pruned),
        `test/...` if tested, `model/parameters`, `model/best_epoch`, `train/seconds`.
    intervals: low and high end of the `val/...` means over users, by the same names.
    history: one row per epoch: `epoch` (from 1), `train/loss`, `val/loss`, `val/<metric>`; None
        if no epoch finished.
    warnings: reasons to distrust the model, a sentence each.
    code: version and commit of twotower that ran it.
    evaluation: the conditions of validation, see `Evaluation.conditions`; empty unless finished.
    per_user: validation metrics of each user at the best epoch: `user_id`, `n_seen` (length of
        the history), a column per metric (`ndcg_at_10`); None unless finished.
    relevant: one row per held-out pair of validation: `user_id`, `item_id`, `popularity`, `rank`;
        None unless finished.
    """

    hash: str
    name: str
    overrides: tuple[str, ...]
    varied: dict[str, Any]
    repeat: dict[str, Any]
    baselines: str
    seed: int
    state: State
    run_id: str | None
    error: str | None
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    warnings: tuple[str, ...]
    code: str
    evaluation: str
    history: pl.DataFrame | None
    per_user: pl.DataFrame | None
    relevant: pl.DataFrame | None

    @property
    def tested(self) -> bool:
        """Whether the test part was scored."""
        return any(MetricName.parse(name).part == "test" for name in self.metrics)

    def save(self, folder: Path) -> None:
        """Write the result to `folder`, replacing an earlier one."""
        for name in _FRAMES:
            path, frame = folder / f"{name}.parquet", getattr(self, name)
            if frame is None:
                path.unlink(missing_ok=True)
            else:
                write_atomically(path, frame.write_parquet)
        plain = {key: value for key, value in vars(self).items() if key not in _FRAMES}
        write_json(folder / _FILE, plain)

    @classmethod
    def load(cls, folder: Path) -> TrialResult | None:
        """Return what `save` wrote; None if it is missing or unreadable."""
        plain = read_json(folder / _FILE)
        if plain is None:
            return None
        try:
            frames: dict[str, Any] = {
                name: pl.read_parquet(path) if path.exists() else None
                for name in _FRAMES
                for path in [folder / f"{name}.parquet"]
            }
            plain |= {key: tuple(plain[key]) for key in ("overrides", "warnings")}
            plain["intervals"] = {name: tuple(ends) for name, ends in plain["intervals"].items()}
            return cls(**plain, **frames)
        except (KeyError, TypeError, pl.exceptions.PolarsError):  # of another version, or cut off
            return None
