"""Report a sweep: in the terminal, in its folder, and in its tracked run."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version

from twotower.core.console import terminal
from twotower.reporting.links import sweep_links
from twotower.reporting.sweep import texts
from twotower.reporting.sweep.figures import sweep_figures
from twotower.reporting.sweep.files import REPORT, write_files
from twotower.reporting.sweep.importance import importance, unsupported
from twotower.reporting.sweep.report import SweepReport
from twotower.reporting.sweep.settings_compared import breakdowns, compare_settings, groups
from twotower.reporting.sweep.terminal import print_sweep
from twotower.reporting.sweep.tracked import track
from twotower.sweeping.sweep_result import SweepResult
from twotower.sweeping.sweep_table import SweepTable

__all__ = ["report_sweep"]


def report_sweep(result: SweepResult) -> SweepReport:
    """Print the table of a sweep, write its report into its folder, and log both to its run."""
    table, run, spec = result.table, result.run, result.spec
    compared, notes = compare_settings(result)
    missing = unsupported(table, compared)
    links = sweep_links(result.config, run.experiment_id, run.id, _run_ids(table))
    report = SweepReport(
        table=table,
        name=spec.name,
        when=datetime.now().astimezone(),
        version=version("twotower"),
        command=spec.command,
        best_command=texts.best_command(table, spec.source),
        split=texts.split_words(result),
        groups=groups(compared),
        headline=[compared.headline] if compared and compared.headline else [],
        warnings=[*texts.warnings(table, result.settings.evaluation.test), *notes],
        test_rows=texts.test_rows(table, result.settings.evaluation.test),
        baseline_rows=texts.baseline_rows(table),
        breakdowns=breakdowns(compared),
        links={**links, "report": (spec.folder / REPORT).resolve().as_uri()},
        figure_notes=[missing] if missing else [],
    )
    shares = None if missing else importance(table, seed=result.settings.comparison.seed)
    figures = sweep_figures(table, shares)
    track(report, compared, figures, write_files(report, figures, spec.folder), run)
    print_sweep(report, terminal())
    return report


def _run_ids(table: SweepTable) -> list[str]:
    """Return the runs of the finished trials, best setting first."""
    finished = [result for setting in table.settings for result in setting.finished]
    return [result.run_id for result in finished if result.run_id is not None]
