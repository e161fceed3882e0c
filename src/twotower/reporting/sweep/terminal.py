"""Print the result of a sweep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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

    Nothing is cut off. In a narrow terminal, titles take two lines, then only the first metric
    keeps its ±, then the columns are split over several tables. Without a terminal, lines are as
    long as needed.
    """
    _print_settings(report, console)
    _print_test(report, console)
    for name, result in cells.unfinished(report.table):
        _say(console, f"{result.state:<9}{name}: {result.error or ''}", "red")
    for warning in report.warnings:
        _say(console, f"WARNING: {warning}", "bold red")
    for sentence in report.headline:
        _say(console, sentence, "bold")
    _say(console, cells.counts(report.table))
    if report.best_command is not None:
        _say(console, f"best     {report.best_command}")
    for name, address in report.links.items():
        _say(console, f"{name:<9}{address}")


def _print_settings(report: SweepReport, console: Console) -> None:
    if not report.table.settings:
        return
    full, bare = columns(report), columns(report, bare=True)
    shapes = [(full, False), (full, True), (bare, False), (bare, True)]
    tables = [_settings(report, shown, broken=broken) for shown, broken in shapes]
    fitting = [table for table in tables if width_of(table, console).maximum <= console.width]
    if not console.is_terminal or fitting:
        print_whole(console, (fitting or tables)[0])
    else:
        for columns_of in _split(report, bare, console):
            print_whole(console, _settings(report, columns_of, broken=True))
    console.print()


def _split(
    report: SweepReport, shown: Sequence[Column], console: Console
) -> Iterator[list[Column]]:
    """Yield the columns of several tables that fit the console, if that is possible.

    Each starts with the rank and the varied keys.
    """
    n_first = sum(column.title in ("#", *report.table.labels.values()) for column in shown)
    first, rest = list(shown[:n_first]), list(shown[n_first:])
    current: list[Column] = []
    for column in rest:
        wider = _settings(report, [*first, *current, column], broken=True)
        if current and width_of(wider, console).maximum > console.width:
            yield [*first, *current]
            current = []
        current.append(column)
    yield [*first, *current]


def _settings(report: SweepReport, shown: Sequence[Column], *, broken: bool) -> Table:
    table = plain_table(f"validation, {report.split}" if report.split else "validation")
    for column in shown:
        title = Text(_broken(column.title) if broken else column.title)
        justify = "right" if column.numeric else "left"
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
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


def _print_test(report: SweepReport, console: Console) -> None:
    if not report.test_rows:
        return
    rows = [*report.test_rows, *report.baseline_rows]
    title = "test, scored once, after the choice on validation"
    print_whole(console, metric_table(title, rows, report.test_metrics))


def _say(console: Console, text: str, style: str = "") -> None:
    """Print text unchanged: it may contain [brackets], and is there to be copied."""
    console.print(Text(text, style=style), soft_wrap=True, highlight=False)
