"""`twotower sweep status`: the progress of sweeps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from twotower.core.component import component
from twotower.core.console import terminal
from twotower.core.errors import ConfigError
from twotower.core.numbers import score
from twotower.sweeping.sweep_progress import SweepProgress, progress_of
from twotower.types.metric_name import MetricName

__all__ = ["SweepStatus"]


@component
@dataclass(frozen=True)
class SweepStatus:
    """Settings of the command; each is explained in conf/sweep.yaml."""

    sweep: str | None
    output_dir: str

    def __call__(self) -> list[SweepProgress]:
        """Print and return the sweeps below the output directory, the newest last.

        Raises:
            ConfigError: there is no sweep, or none of that name.
        """
        folder = Path(self.output_dir, "sweeps")
        found = [status for path in folder.glob("*") if (status := progress_of(path)) is not None]
        found.sort(key=lambda status: status.when)
        wanted = self.sweep or ""
        chosen = [status for status in found if status.record.folder.name.startswith(wanted)]
        if not chosen:
            if not found:
                raise ConfigError(
                    f"no sweeps in {folder}: `twotower train -m tower.emb_dim=16,32` makes one; "
                    "output_dir sets where they are"
                )
            there = ", ".join(status.record.folder.name for status in found)
            raise ConfigError(f"sweep: got {self.sweep}; in {folder} there are {there}")
        console = terminal()
        for status in chosen:
            _print(status, console, trials=self.sweep is not None)
        return chosen


def _print(status: SweepProgress, console: Console, *, trials: bool) -> None:
    record = status.record
    console.print(f"{record.folder.name}  {record.name}  ({status.when:%Y-%m-%d %H:%M})")
    counts = ", ".join(f"{count} {state}" for state, count in status.counts.items())
    console.print(f"  {status.state}: {counts} of {record.total}")
    console.print(f"  {record.command}", style="dim")
    if not trials:
        return
    table = Table(box=SIMPLE_HEAD)
    for title in ("trial", "state", MetricName.parse(record.monitor).title, "folder"):
        table.add_column(title)
    for trial in status.trials:
        table.add_row(trial.name, trial.state, score(trial.value), trial.folder)
    console.print(table)
