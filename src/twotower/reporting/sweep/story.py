"""Report a sweep: print it, write its files, and log both to its tracked run."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version

from twotower.comparison import Compared, Model, Repeat
from twotower.core.console import terminal
from twotower.core.errors import TwoTowerError
from twotower.reporting.links import sweep_links
from twotower.reporting.sweep import texts
from twotower.reporting.sweep.figures import sweep_figures
from twotower.reporting.sweep.files import REPORT, write_files
from twotower.reporting.sweep.report import SweepReport
from twotower.reporting.sweep.terminal import print_sweep
from twotower.reporting.sweep.tracked import track
from twotower.sweeping.sweep_result import SweepResult
from twotower.types.metric_name import MetricName

__all__ = ["record_sweep", "report_sweep"]


def report_sweep(result: SweepResult) -> SweepReport:
    """Record a sweep, and print its table."""
    report = record_sweep(result)
    print_sweep(report, terminal())
    return report


def record_sweep(result: SweepResult) -> SweepReport:
    """Write the report of a sweep into its folder, and log it to its run."""
    table, run, spec = result.table, result.run, result.spec
    compared, notes = _compared(result)
    finished = [trial for setting in table.settings for trial in setting.finished]
    run_ids = [trial.run_id for trial in finished if trial.run_id is not None]
    links = sweep_links(result.config, run.experiment_id, run.id, run_ids)
    test = result.settings.evaluation.test
    report = SweepReport(
        table=table,
        name=spec.name,
        when=datetime.now().astimezone(),
        version=version("twotower"),
        command=spec.command,
        best_command=texts.best_command(table, spec.source),
        split=texts.split_words(result),
        groups=dict(compared.models.select("name", "group").rows()) if compared else None,
        headline=[compared.headline] if compared and compared.headline else [],
        warnings=[*texts.warnings(table, test), *notes],
        test_rows=texts.test_rows(table, test),
        baseline_rows=texts.baseline_rows(table),
        breakdowns=compared.breakdowns if compared else {},
        links={**links, "report": (spec.folder / REPORT).resolve().as_uri()},
    )
    figures = sweep_figures(table)
    track(report, compared, figures, write_files(report, figures, spec.folder), run)
    return report


def _compared(result: SweepResult) -> tuple[Compared | None, list[str]]:
    """Compare the settings user by user.

    Returns:
        The comparison and its notes; None, with the reason, where it is not possible.
    """
    table = result.table
    digests = {trial.spec.hash: trial.split_digest for trial in result.trials}
    models = [
        Model(
            name=setting.name,
            repeats=[
                Repeat(o.per_user, o.relevant, digests[o.hash], o.evaluation)
                for o in setting.finished
                if o.per_user is not None
            ],
            parameters=setting.mean("model/parameters"),
            values={
                MetricName.parse(metric).bare: value
                for metric in table.metrics
                if (value := setting.mean(metric)) is not None
            },
        )
        for setting in table.settings
        if setting.finished
    ]
    if len(models) < 2:
        return None, []
    try:
        compared = result.settings.comparison.compare(models, MetricName.parse(table.monitor).bare)
    except TwoTowerError as error:
        return None, [
            "the settings could not be compared user by user (the best value may only come from "
            f"the easiest part): {error}"
        ]
    return compared, list(compared.notes)
