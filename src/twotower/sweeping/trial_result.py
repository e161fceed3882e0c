"""What becomes of a trial of a sweep."""

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
    """A trial that is over, however it ended; travels between processes.

    hash: identity of the trial: of its resolved config and of its split.
    name: such as `emb_dim=32 num_negatives=10`.
    overrides: what the command line of the trial alone would be, such as `tower.emb_dim=32`.
    varied: what varies in the sweep, by full key, without what repeats a setting.
    repeat: what makes it a repeat of its setting, such as `{"split.fold": 2, "seed": 0}`.
    baselines: digest of those that it was measured against.
    seed: of the trial.
    state: finished, pruned (stopped early by the search), diverged (the loss was not finite) or
        failed.
    run_id: in MLflow; None where nothing is tracked.
    error: one line; None unless diverged or failed.
    metrics: by their names in MLflow: `val/...` of the best epoch (of those seen, where pruned),
        `test/...` where tested, `model/parameters`, `model/best_epoch`, `train/seconds`.
    intervals: low and high end of the `val/...` means over users, by the same names.
    history: one row an epoch: `epoch` (from 1), `train/loss`, `val/loss`, `val/<metric>`; None
        where no epoch was finished.
    warnings: what is suspicious about the model, in sentences.
    code: version and commit of what ran it, in words.
    evaluation: the conditions of validation, see `Evaluation.conditions`; empty unless finished.
    per_user: validation metrics of each user at the best epoch: `user_id`, `n_seen` (length of
        the history), a column a metric (`ndcg_at_10`); None unless finished.
    relevant: one row a held-out pair of validation: `user_id`, `item_id`, `popularity`, `rank`;
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
        """Write it to `folder`, in the place of what was there."""
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
        """What `save` wrote; None where there is nothing, or what cannot be read."""
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
