"""What becomes of a trial of a sweep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

__all__ = ["Outcome", "State"]

State = Literal["finished", "pruned", "diverged", "failed"]


@dataclass(frozen=True)
class Outcome:
    """A trial that is over, however it ended; travels between processes.

    hash: identity of the trial: of its resolved config and of its split.
    name: such as `emb_dim=32 num_negatives=10`.
    overrides: what the command line of the trial alone would be, such as `tower.emb_dim=32`.
    varied: what varies in the sweep, by full key, without the seed.
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
    per_user: validation metrics of each user at the best epoch: `user_id`, `n_seen` (length of
        the history), a column a metric (`ndcg_at_10`); None unless finished.
    """

    hash: str
    name: str
    overrides: tuple[str, ...]
    varied: dict[str, Any]
    seed: int
    state: State
    run_id: str | None
    error: str | None
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    history: pl.DataFrame | None
    per_user: pl.DataFrame | None
