"""What a finished run leaves in MLflow: metrics, files, plots and a description."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from twotower.recommender import MODEL_FOLDER
from twotower.result import Result
from twotower.tracking import plots
from twotower.tracking.base import Run
from twotower.types import Fold, Recommendations

__all__ = ["log"]


def log(run: Run, result: Result, fold: Fold, recommendations: Recommendations) -> None:
    """Everything that is known once a run is over."""
    run.log_metrics(_final_metrics(result, fold))
    run.log_frame(result.recommendation_lists, "recommendations.parquet")
    run.log_frame(result.test.per_user, "per_user_metrics.parquet")
    for name, measured in result.baselines.items():
        run.log_frame(measured.per_user, f"baselines/{name}/per_user_metrics.parquet")
    with tempfile.TemporaryDirectory(prefix="twotower-") as folder:
        result.recommender.save(Path(folder))
        run.log_folder(Path(folder), MODEL_FOLDER)
    _log_plots(run, result, fold, recommendations)
    run.set_description(_description(result))


def _final_metrics(result: Result, fold: Fold) -> dict[str, float]:
    metrics = {name: value for name, value in result.metrics.items() if not name.startswith("val/")}
    metrics |= {
        f"test_interval/{name}_{end}": value
        for name, interval in result.test.intervals.items()
        for end, value in zip(("low", "high"), interval, strict=True)
    }
    return metrics | {
        "model/parameters": sum(p.numel() for p in result.fitted.model.parameters()),
        "model/best_epoch": result.fits[0].best_epoch,
        "train/seconds": result.train_seconds,
        "data/train_interactions": len(fold.train),
        "data/users": fold.train.n_users,
        "data/items": fold.train.n_items,
        "data/test_users": len(fold.holdout.users),
    }


def _log_plots(run: Run, result: Result, fold: Fold, recommendations: Recommendations) -> None:
    watched = result.selected or result.fitted
    best = watched.best_epoch if result.selected is not None else None
    run.log_figure(plots.loss_curves(watched.history, best), "plots/loss.png")
    if result.selected is not None:
        run.log_figure(plots.metric_curves(watched.history, best), "plots/metrics.png")
    items = recommendations.items[recommendations.items >= 0]
    counts = torch.bincount(items, minlength=fold.train.n_items)
    figure = plots.recommendation_popularity(counts.tolist(), fold.train.item_counts.tolist())
    run.log_figure(figure, "plots/recommendation_popularity.png")


def _description(result: Result) -> str:
    columns = {"this run": result.test, **result.baselines}
    rows = [
        f"| {name} | {' | '.join(measured.text(name) for measured in columns.values())} |"
        for name in result.test.values
    ]
    table = [f"| test | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}", *rows]
    return "\n".join([*(f"- {note}" for note in _notes(result)), "", *table])


def _notes(result: Result) -> Iterator[str]:
    for name in result.below:
        yield f"**Not better than {name} by {result.monitor}.**"
    yield f"Tested on {result.test.per_user.height:,} users; ± is half of the interval."
    if result.selected is None:
        return
    epoch, last = result.selected.best_epoch, result.selected.history.height
    yield (
        f"Epoch {epoch} of {last} was chosen by val/{result.monitor}; the point after the last "
        "epoch of each val/ curve repeats its values."
    )
    if result.fitted is not result.selected:
        yield f"Refit on train and validation for {epoch} epochs, then tested once."
