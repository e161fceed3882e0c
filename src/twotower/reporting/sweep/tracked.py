"""The tracked run of a sweep: its files, figures, metrics, charts and description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from twotower.comparison import Compared
from twotower.config.short_names import short_name
from twotower.core.markdown import code, escaped
from twotower.reporting.sweep.report import SweepReport
from twotower.sweeping.sweep_table import SweepTable
from twotower.tracking.base import Run
from twotower.types.metric_name import MetricName

__all__ = ["track"]

_COLORED = 100  # trials that get colors of their own


def track(
    report: SweepReport,
    compared: Compared | None,
    figures: Mapping[str, Figure],
    files: Sequence[Path],
    run: Run,
) -> None:
    """Log a sweep's report to its tracked run."""
    table = report.table
    for path in files:
        run.log_file(path)
    for name, figure in figures.items():
        run.log_figure(figure, f"plots/{name}.png")
    for name, frame in ({} if compared is None else compared.tables).items():
        run.log_frame(frame, f"comparison/{name}.parquet")
    run.log_metrics(_metrics(table))
    run.save_chart_view(
        [short_name(key) for key in table.keys],
        sorted(table.shown, key=lambda name: name != table.monitor),
        [o.run_id for o in table.results if o.run_id is not None][:_COLORED],
    )
    run.save_overview(table.monitor)
    run.set_description(_description(report))


def _metrics(table: SweepTable) -> dict[str, float]:
    """Return counts of trials, and the best setting's means as `best_val/...`, `best_test/...`."""
    states = [result.state for result in table.results]
    metrics = {f"sweep/{state}": float(states.count(state)) for state in dict.fromkeys(states)}
    metrics["sweep/trials"] = float(len(states))
    if table.best is not None:
        names = dict.fromkeys(n for o in table.best.finished for n in o.metrics)
        for name in names:
            value = table.best.mean(name)
            if value is not None and MetricName.parse(name).part in ("val", "test"):
                metrics[f"best_{name}"] = value
    return metrics


def _description(report: SweepReport) -> str:
    lines = [code(report.command), ""]
    lines += [f"- **{escaped(text)}**" for text in report.warnings]
    lines += [f"- {escaped(text)}" for text in report.headline]
    if report.best_command is not None:
        lines.append(f"- best: {code(report.best_command)}")
    for name, texts in (*report.test_rows, *report.baseline_rows):
        titled = {MetricName.parse(metric).title: text for metric, text in texts.items()}
        scores = ", ".join(f"{title} {text}" for title, text in titled.items())
        lines.append(f"- test, {escaped(name)}: {scores}")
    return "\n".join(lines)
