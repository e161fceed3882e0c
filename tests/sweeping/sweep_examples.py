"""Outcomes to draw and to print."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from twotower.reporting.sweep.cells import name
from twotower.reporting.sweep.report import SweepReport
from twotower.sweeping.sweep_table import SweepTable
from twotower.sweeping.trial_result import State, TrialResult

MONITOR = "val/ndcg_at_10"


def trial_result(
    varied: dict[str, Any],
    ndcg: float,
    *,
    seed: int = 0,
    state: State = "finished",
    error: str | None = None,
    half: float | None = 0.04,
    **metrics: float,
) -> TrialResult:
    """A trial whose monitor is `ndcg`, with an interval of `half` on both sides.

    metrics: further ones, `coverage` and `hitrate` of validation, `parameters`, `seconds`,
    `epoch`.
    """
    names = {
        "hitrate": "val/hitrate_at_10",
        "coverage": "val/coverage_at_10",
        "parameters": "model/parameters",
        "seconds": "train/seconds",
        "epoch": "model/best_epoch",
    }
    overrides = tuple(f"{key}={value}" for key, value in varied.items())
    called = " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in varied.items())
    seen = {MONITOR: ndcg, **{names[key]: value for key, value in metrics.items()}}
    finished = state == "finished"
    return TrialResult(
        hash=f"{called} {seed}",
        name=called,
        overrides=overrides,
        varied=varied,
        repeat={"seed": seed},
        baselines="",
        seed=seed,
        state=state,
        run_id=f"run-{called}-{seed}",
        error=error,
        metrics=seen if state in ("finished", "pruned") else {},
        intervals={MONITOR: (ndcg - half, ndcg + half)} if finished and half is not None else {},
        history=_history(ndcg) if state != "failed" else None,
        warnings=(),
        code="0.1.0",
        evaluation="",
        per_user=None,
        relevant=None,
    )


def _history(ndcg: float) -> pl.DataFrame:
    """Three epochs, the second of which is the best."""
    return pl.DataFrame({"epoch": [1, 2, 3], MONITOR: [ndcg / 2, ndcg, ndcg * 0.9]})


def grid(emb_dims: Sequence[int], negatives: Sequence[int], seeds: int = 1) -> SweepTable:
    """Every pair. The monitor is 0.1 + log2(emb_dim) / 100 + negatives / 1000 + seed / 1000."""
    return SweepTable(
        tuple(
            trial_result(
                {"tower.emb_dim": dim, "negative_sampling.num_negatives": negative},
                0.1 + math.log2(dim) / 100 + negative / 1000 + seed / 1000,
                seed=seed,
                hitrate=0.5,
                coverage=0.2 - negative / 1000,
                parameters=2367 * dim,
                seconds=3.0 + negative + dim / 10,
                epoch=10 + seed,
            )
            for dim in emb_dims
            for negative in negatives
            for seed in range(seeds)
        ),
        MONITOR,
    )


def drawn(trials: int) -> SweepTable:
    """A random search over a step size (log), a dropout (linear) and a loss; every fifth pruned.

    The monitor depends on the step size alone: it is best at 1e-2.
    """
    random = np.random.default_rng(0)
    results = []
    for n in range(trials):
        lr = float(10 ** random.uniform(-4, -1))
        varied = {
            "optimizer.lr": lr,
            "tower.dropout": float(random.uniform(0, 0.5)),
            "loss": str(random.choice(["bce", "bpr"])),
        }
        ndcg = 0.16 - 0.02 * (math.log10(lr) + 2) ** 2
        results.append(
            trial_result(
                varied,
                ndcg,
                state="pruned" if n % 5 == 4 else "finished",
                hitrate=3 * ndcg,
                coverage=float(random.uniform(0.05, 0.3)),
                parameters=float(random.choice([37_872, 75_744, 151_488])),
                seconds=float(random.uniform(5, 30)),
                epoch=2,
            )
        )
    return SweepTable(tuple(results), MONITOR)


def report(table: SweepTable, **changes: Any) -> SweepReport:
    """What there is to tell of `table`, two settings in a group."""
    best = table.best
    finished = [setting for setting in table.settings if setting.finished]
    chosen = name(table, best) if best is not None else ""
    shown = SweepReport(
        table=table,
        name=" x ".join(table.labels.values()),
        when=datetime(2026, 3, 4, 12, 30),
        version="0.2.0",
        command="twotower sweep tower.emb_dim=16,32 dataset.path='a & b.csv'",
        best_command="twotower train tower.emb_dim=32" if best is not None else None,
        split="last 20% of the time, 95 users",
        groups={setting.name: 1 + n // 2 for n, setting in enumerate(finished)},
        headline=["The second is not shown to be worse."],
        warnings=[],
        test_rows=[(chosen, {"ndcg_at_10": "0.1641 ± 0.0494", "coverage_at_10": "0.1726"})],
        baseline_rows=[
            ("popularity", {"ndcg_at_10": "0.1381 ± 0.0418", "coverage_at_10": "0.0476"})
        ],
        breakdowns={},
        links={"open": "twotower ui", "then": "http://127.0.0.1:5000/#/runs?a=1&b=2"},
    )
    return replace(shown, **changes)
