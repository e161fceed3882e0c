"""What the terminal shows at the end of a run."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from twotower.console import terminal
from twotower.result import Result
from twotower.titles import looked_at_first, metric_title

__all__ = ["print_result"]


def print_result(result: Result, opens: Sequence[str]) -> None:
    """The metrics beside those of the baselines; `opens`: where to look on."""
    console = terminal()
    judged = result.judged
    known = judged.measured.values
    names = looked_at_first(known, result.monitor) or list(known)
    title = f"{judged.part}, {judged.measured.per_user.height:,} users"
    table = Table(box=SIMPLE_HEAD, title=title)
    table.add_column("")
    for name in names:
        table.add_column(metric_title(name), justify="right")
    for title, measured in [("this run", judged.measured), *judged.baselines.items()]:
        table.add_row(title, *(_aligned(measured.text(name)) for name in names))
    console.print(table)
    for warning in result.warnings:
        console.print(f"WARNING: {warning}", style="bold red")
    epochs = f"{result.fitted.best_epoch} epochs"
    if result.selected is not None:
        epochs = f"epoch {result.selected.best_epoch} of {result.selected.history.height}"
        epochs += f" chosen by val/{result.monitor}"
        refit = result.test is not None and result.fitted is not result.selected
        epochs += ", refit on train and validation" if refit else ""
    console.print(f"run      {result.name}" + (f"  ({result.run_id})" if result.run_id else ""))
    if result.repeat is not None:
        console.print(f"fold     {result.repeat}")
    console.print(f"trained  {epochs}, {result.train_seconds:.1f} s")
    for line in opens:
        console.print(line)


def _aligned(text: str) -> str:
    """A value without an interval stands below those with one."""
    return text if "±" in text else text + " " * len(" ± 0.0000")
