"""A diagnosis in the terminal and as a page."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from rich.console import Console
from rich.text import Text

from twotower.core.files import write_atomically
from twotower.diagnosis import Diagnosis, Finding
from twotower.reporting.page import render_page
from twotower.reporting.tables import plain_table

__all__ = ["diagnosis_page", "print_diagnosis", "save_page", "summary"]

_TEMPLATE = "diagnosis.html.j2"
_COLORS = {"ok": "green", "warning": "yellow", "error": "bold red"}


def print_diagnosis(diagnosis: Diagnosis, console: Console) -> None:
    """Print a table of the findings, and how many are no good."""
    table = plain_table(diagnosis.name)
    table.add_column("", no_wrap=True)
    table.add_column("check", min_width=12)
    table.add_column("found", ratio=1)
    for finding in diagnosis.findings:
        status = Text(finding.status, style=_COLORS[finding.status])
        table.add_row(status, Text(finding.check), _text(finding))
    console.print(table)
    console.print(summary(diagnosis))


def _text(finding: Finding) -> Text:
    text = Text(finding.found)
    if finding.meaning:
        text.append(f"\n{finding.meaning}", style="italic")
    if finding.remedy:
        text.append(f"\n-> {finding.remedy}")
    return text


def summary(diagnosis: Diagnosis) -> str:
    """Return the numbers of findings, such as `1 error, 2 warnings, 9 ok`."""
    errors, warnings = len(diagnosis.errors), len(diagnosis.warnings)
    rest = len(diagnosis.findings) - errors - warnings
    counts = ((errors, "error"), (warnings, "warning"))
    words = [f"{n} {name}{'s' if n > 1 else ''}" for n, name in counts if n]
    return ", ".join([*words, f"{rest} ok"])


def save_page(diagnosis: Diagnosis, path: str | Path) -> None:
    """Write `diagnosis_page` to a file, whose folder is created if need be."""
    file = Path(path).absolute()
    file.parent.mkdir(parents=True, exist_ok=True)
    page = diagnosis_page(diagnosis)
    write_atomically(file, lambda at: at.write_text(page, encoding="utf-8"))


def diagnosis_page(diagnosis: Diagnosis) -> str:
    """Return a self-contained HTML page of the findings, what is wrong first."""
    order = ("error", "warning", "ok")
    return render_page(
        files(__package__) / _TEMPLATE,
        diagnosis=diagnosis,
        findings=sorted(diagnosis.findings, key=lambda finding: order.index(finding.status)),
        summary=summary(diagnosis),
        when=datetime.now().astimezone(),
        version=version("twotower"),
    )
