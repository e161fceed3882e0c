"""A run's page in MLflow: the text at its top, and its figures."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from twotower.core.markdown import escaped
from twotower.running.result import Judged, Result
from twotower.tracking.base import Run
from twotower.types.metric_name import MetricName

__all__ = ["report_run"]


def report_run(run: Run, result: Result) -> None:
    """Log the description of a run, and its figures if it was tested.

    Most trials of a sweep are not tested, and drawing takes longer than a short training.
    """
    if run.id is None:  # nothing is tracked
        return
    run.set_description(_description(result))
    if result.test is not None:
        _log_figures(run, result, result.test)


def _log_figures(run: Run, result: Result, test: Judged) -> None:
    # Imported here, since matplotlib is slow to import.
    from twotower.reporting.embedding_map import embedding_map, item_classes
    from twotower.reporting.run_figures import (
        loss_curves,
        metric_curves,
        recommendation_popularity,
    )

    watched = result.selected or result.fitted
    best = watched.best_epoch if result.selected is not None else None
    run.log_figure(loss_curves(watched.history, best), "plots/loss.png")
    if result.selected is not None:
        run.log_figure(metric_curves(watched.history, best), "plots/metrics.png")
    items, n_items = test.recommendations.items, test.fold.items.n
    counts = torch.bincount(items[items >= 0], minlength=n_items)
    of_train = torch.bincount(test.fold.train.items, minlength=n_items)
    figure = recommendation_popularity(counts.tolist(), of_train.tolist())
    run.log_figure(figure, "plots/recommendation_popularity.png")
    if result.embedding_plot != "none":
        vectors = result.recommender.model.tower_part(test.scorer.items).cpu().float().numpy()
        classes = item_classes(test.fold.item_features)
        figure = embedding_map(
            vectors, of_train[: len(vectors)].numpy(), classes, result.embedding_plot
        )
        run.log_figure(figure, "plots/embeddings.png")


def _description(result: Result) -> str:
    """Return Markdown: notes, and the metrics next to those of the baselines."""
    judged = result.judged
    columns = {"this run": judged.measured, **judged.baselines}
    rows = [
        f"| {escaped(name)} | {' | '.join(m.text(name) for m in columns.values())} |"
        for name in judged.measured.values
    ]
    titles = " | ".join(map(escaped, columns))
    table = [f"| {judged.part} | {titles} |", f"|---|{'---:|' * len(columns)}", *rows]
    return "\n".join([*(f"- {note}" for note in _notes(result)), "", *table])


def _notes(result: Result) -> Iterator[str]:
    judged = result.judged
    for warning in result.warnings:
        yield f"**{escaped(warning)}**"
    yield f"Evaluated on {judged.part}, {judged.fold.holdout.size}; ± is half of the interval."
    if result.repeat is not None:
        yield f"One of several folds: {result.repeat}."
    if result.selected is None:
        return
    epoch, last = result.selected.best_epoch, result.selected.history.height
    yield (
        f"Epoch {epoch} of {last} was chosen by {MetricName.parse(result.monitor).on('val')}; "
        "each val/ curve repeats its values in a point after the last epoch."
    )
    validation = result.validation
    if validation is not None and validation.fold.holdout.sampled_from is not None:
        size = validation.fold.holdout.size
        yield f"Validated on a fixed sample, {size} (evaluation.validation_users)."
    if result.test is None:
        yield "The test part was not scored."
    elif result.fitted is not result.selected:
        yield f"Refit on train and validation for {epoch} epochs, then tested once."
