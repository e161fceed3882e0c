"""The files of a sweep: its report, and its trials as CSV and Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from twotower.core.secrets import mask
from twotower.reporting.sweep.html import render
from twotower.reporting.sweep.report import SweepReport

__all__ = ["REPORT", "write_files"]

REPORT = "report.html"


def write_files(report: SweepReport, figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write the report and the table of trials to `folder`, and return their paths.

    The page does not link to itself.
    """
    page, csv, parquet = (folder / name for name in (REPORT, "table.csv", "table.parquet"))
    elsewhere = {name: link for name, link in report.links.items() if name != "report"}
    text = mask(render(replace(report, links=elsewhere), figures))
    page.write_text(text, encoding="utf-8")
    frame = report.table.frame()
    frame.write_csv(csv)
    frame.write_parquet(parquet)
    return [page, csv, parquet]
