"""Print the result of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from twotower.reporting.metric_table import metric_table
from twotower.reporting.sweep import cells
from twotower.reporting.sweep.columns import Column, columns
from twotower.reporting.sweep.report import SweepReport
from twotower.reporting.tables import aligned, plain_table, print_whole, width_of

__all__ = ["print_sweep"]

_SHORT = 6  # characters of a title that is left on one line


def print_sweep(report: SweepReport, console: Console) -> None:
    """Print the settings, the best one next to the baselines, warnings, commands and links.

    Nothing is cut off. In a narrow terminal titles take two lines and only the first metric keeps
    its ±; a table that is still too wide is printed in long lines.
    """
    if report.table.settings:
        _print_settings(report, console)
    if report.test_rows:
        rows = [*report.test_rows, *report.baseline_rows]
        title = "test, scored once, after the choice on validation"
        print_whole(console, metric_table(title, rows, report.test_metrics))
    for name, result in cells.unfinished(report.table):
        _print(console, f"{result.state:<9}{name}: {result.error or ''}", "red")
    for warning in report.warnings:
        _print(console, f"WARNING: {warning}", "bold red")
    for sentence in report.headline:
        _print(console, sentence, "bold")
    _print(console, cells.counts(report.table))
    if report.best_command is not None:
        _print(console, f"best     {report.best_command}")
    for name, address in report.links.items():
        _print(console, f"{name:<9}{address}")


def _print_settings(report: SweepReport, console: Console) -> None:
    full, bare = columns(report), columns(report, bare=True)
    shapes = [(full, False), (full, True), (bare, True)]
    tables = [_settings(report, shown, broken=broken) for shown, broken in shapes]
    fitting = [table for table in tables if width_of(table, console).maximum <= console.width]
    narrowest = tables[-1] if console.is_terminal else tables[0]
    print_whole(console, fitting[0] if fitting else narrowest)
    console.print()


def _settings(report: SweepReport, shown: Sequence[Column], *, broken: bool) -> Table:
    table = plain_table(f"validation, {report.split}" if report.split else "validation")
    for column in shown:
        title = Text(_broken(column.title) if broken else column.title)
        table.add_column(title, justify="right" if column.numeric else "left", no_wrap=True)
    settings = report.table.settings
    rows = aligned([[column.text(setting) for column in shown] for setting in settings])
    for setting, texts in zip(settings, rows, strict=True):
        style = "bold" if setting is report.table.best else "" if setting.finished else "dim"
        table.add_row(*map(Text, texts), style=style)
    notes = [cells.around(report.table)]
    if report.groups:
        notes.append("group: settings of a group are not shown to differ from its best")
    table.caption = Text("; ".join(note for note in notes if note))
    return table


def _broken(title: str) -> str:
    """Return a long title on two lines: `num_` above `negatives`, `HitRate` above `@10`."""
    if len(title) <= _SHORT:
        return title
    for mark in "@", "_", ".", " ":
        before, found, after = title.rpartition(mark)
        if found:
            return f"{before}\n@{after}" if mark == "@" else f"{before}{mark.strip()}\n{after}"
    return title


def _print(console: Console, text: str, style: str = "") -> None:
    """Print text unchanged: it may contain [brackets], and is there to be copied."""
    console.print(Text(text, style=style), soft_wrap=True, highlight=False)
