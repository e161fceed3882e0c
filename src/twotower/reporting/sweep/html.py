"""The report of a sweep as one self-contained HTML page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import polars as pl
from matplotlib.figure import Figure

from twotower.core.numbers import score
from twotower.reporting.page import render_page
from twotower.reporting.sweep import cells
from twotower.reporting.sweep.columns import columns
from twotower.reporting.sweep.report import SweepReport
from twotower.types.metric_name import MetricName

__all__ = ["render"]

_TEMPLATE = "report.html.j2"
_WIDTH = 92  # pixels per inch of a figure: its 10 points are then as tall as the text around it
_DPI = 2 * _WIDTH  # sharp on a screen of two dots per pixel
_MODEL = "name"  # the column of a breakdown that holds the model

_Rows = tuple[list[str], list[list[str]]]  # column titles, and rows of texts


def render(report: SweepReport, figures: Mapping[str, Figure]) -> str:
    """Return the page. The label of a figure becomes its alternative text."""
    names = {setting.name: cells.name(report.table, setting) for setting in report.table.settings}
    return render_page(
        files(__package__) / _TEMPLATE,
        report=report,
        table=report.table,
        counts=cells.counts(report.table),
        around=cells.around(report.table),
        columns=columns(report),
        unfinished=cells.unfinished(report.table),
        metric_title=lambda name: MetricName.parse(name).title,
        test=_test(report),
        breakdowns={title: _breakdown(frame, names) for title, frame in report.breakdowns.items()},
        images=[_image(name, figure) for name, figure in figures.items()],
    )


@dataclass(frozen=True)
class _Image:
    name: str
    source: str
    alt: str
    width: int


def _image(name: str, figure: Figure) -> _Image:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI)
    source = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    alt = str(figure.get_label()) or name.replace("_", " ")
    return _Image(name, source, alt, round(figure.get_figwidth() * _WIDTH))


def _test(report: SweepReport) -> _Rows:
    metrics = report.test_metrics
    rows = [*report.test_rows, *report.baseline_rows]
    body = [[name, *(texts.get(metric, "") for metric in metrics)] for name, texts in rows]
    return ["", *(MetricName.parse(metric).title for metric in metrics)], body


def _breakdown(frame: pl.DataFrame, names: Mapping[str, str]) -> _Rows:
    """Return a row per model and a column per group if there are models; else the frame itself."""
    if _MODEL not in frame.columns:
        return [*map(_words, frame.columns)], [[*map(_text, row)] for row in frame.rows()]
    of_group = frame.columns[: frame.columns.index(_MODEL)]
    mean = frame.columns[len(of_group) + 1]
    groups = frame.select(of_group).unique(maintain_order=True)
    header, *rest = ([_words(column), *map(_text, groups[column])] for column in of_group)
    models: dict[str, list[str]] = {}
    for row in frame.iter_rows(named=True):
        low, high = row.get("low"), row.get("high")
        half = None if low is None or high is None else (high - low) / 2
        models.setdefault(row[_MODEL], []).append(score(row[mean], half))
    return header, [*rest, *([names.get(name, name), *row] for name, row in models.items())]


def _words(name: str) -> str:
    """Return `users` for `n_users`."""
    return name.removeprefix("n_").replace("_", " ")


def _text(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return score(value) if isinstance(value, float) else value or ""
