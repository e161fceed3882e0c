"""Print the result of a run."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from rich.table import Table

from twotower.core.console import terminal
from twotower.evaluation import Measured
from twotower.evaluation.groups import GroupMetrics
from twotower.reporting.metric_table import metric_table
from twotower.reporting.tables import print_whole
from twotower.running.result import Result
from twotower.types.metric_name import MetricName, shown_metrics

__all__ = ["print_result"]


def print_result(result: Result, opens: Sequence[str]) -> None:
    """Print the metrics of a run next to those of the baselines.

    Args:
        opens: commands and links that open the run.
    """
    console = terminal()
    judged = result.judged
    names = shown_metrics(judged.measured.values, result.monitor)
    models = [("this run", judged.measured), *judged.baselines.items()]
    rows = [(name, {m: measured.text(m) for m in names}) for name, measured in models]
    title = f"{judged.part}, {judged.fold.holdout.size}"
    print_whole(console, metric_table(title, rows, names))
    for groups in judged.groups:
        print_whole(console, _group_table(groups, names))
        for note in groups.notes:
            console.print(note, markup=False)
    for warning in result.warnings:
        console.print(f"WARNING: {warning}", style="bold red")
    epochs = f"{result.fitted.best_epoch} epochs"
    if result.selected is not None:
        epochs = f"epoch {result.selected.best_epoch} of {result.selected.history.height}"
        epochs += f" chosen by {MetricName.parse(result.monitor).on('val')}"
        refit = result.test is not None and result.fitted is not result.selected
        epochs += ", refit on train and validation" if refit else ""
    console.print(f"run      {result.name}" + (f"  ({result.run_id})" if result.run_id else ""))
    if result.repeat is not None:
        console.print(f"fold     {result.repeat}")
    console.print(f"trained  {epochs}, {result.train_seconds:.1f} s{_validation_share(result)}")
    for line in opens:
        console.print(line)


def _validation_share(result: Result) -> str:
    """Return the share of the time that validation took, if it is worth knowing."""
    if result.selected is None or result.selected.cost.validation_seconds < 1:
        return ""
    share = result.selected.cost.validation_seconds / result.train_seconds
    sample = result.validation.fold.holdout if result.validation is not None else None
    users = f" on {sample.size}" if sample is not None and sample.sampled_from is not None else ""
    return f", {share:.0%} of it validation{users}"


def _group_table(groups: GroupMetrics, names: Sequence[str]) -> Table:
    """Return a line per group and a column per metric, of users' metrics those in `names`."""
    measured = {
        group: Measured(v, groups.intervals.get(group, {}), pl.DataFrame())
        for group, v in groups.values.items()
    }
    known = list(dict.fromkeys(name for values in groups.values.values() for name in values))
    shown = [name for name in known if name in names or groups.feature.kind == "item"]
    rows = [
        (
            f"{group} ({groups.sizes[group]:,})",
            {name: of_group.text(name) for name in shown if name in of_group.values},
        )
        for group, of_group in measured.items()
    ]
    return metric_table(f"by {groups.feature.name} ({groups.counted})", rows, shown)
