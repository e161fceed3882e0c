"""The text at the top of a run's page in MLflow."""

from __future__ import annotations

from collections.abc import Iterator

from twotower.core.markdown import escaped
from twotower.running.result import Result
from twotower.types.metric_name import MetricName

__all__ = ["description"]


def description(result: Result) -> str:
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
    users = judged.measured.per_user.height
    yield f"Evaluated on {judged.part}, {users:,} users; ± is half of the interval."
    if result.repeat is not None:
        yield f"One of several folds: {result.repeat}."
    if result.selected is None:
        return
    epoch, last = result.selected.best_epoch, result.selected.history.height
    yield (
        f"Epoch {epoch} of {last} was chosen by {MetricName.parse(result.monitor).on('val')}; "
        "each val/ curve repeats its values in a point after the last epoch."
    )
    if result.test is None:
        yield "The test part was not scored."
    elif result.fitted is not result.selected:
        yield f"Refit on train and validation for {epoch} epochs, then tested once."
