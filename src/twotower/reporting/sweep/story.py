"""Tells a sweep: on the terminal, in its folder, and in its tracked run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from twotower.comparison import Compared, Comparison, Model, Repeat
from twotower.config import command as command_line
from twotower.config.params import short_name
from twotower.core.console import terminal
from twotower.core.errors import TwoTowerError
from twotower.core.markdown import code, escaped
from twotower.core.secrets import mask
from twotower.reporting.links import sweep_links
from twotower.reporting.sweep.figures import settings_map, sweep_figures
from twotower.reporting.sweep.html import render
from twotower.reporting.sweep.importance import importance, unsupported
from twotower.reporting.sweep.report import Row, SweepReport
from twotower.reporting.sweep.terminal import print_sweep
from twotower.sweeping.setting_result import SettingResult
from twotower.sweeping.sweep_result import SweepResult
from twotower.sweeping.sweep_table import SweepTable
from twotower.sweeping.trial import Trial
from twotower.tracking.base import Run
from twotower.types.metric_name import MetricName, shown_metrics

__all__ = ["report_sweep", "tell"]

_REPORT = "report.html"
_PAINTED = 100  # trials that get colours of their own


def report_sweep(result: SweepResult) -> SweepReport:
    """Print the table of a sweep, and write and log it with its report. See `tell`."""
    run, spec = result.run, result.spec
    return tell(
        result.table,
        result.trials,
        name=spec.name,
        command=spec.command,
        source=spec.source,
        comparison=result.comparison,
        test=result.test,
        run=run,
        folder=spec.folder,
        links=sweep_links(result.config, run.experiment_id, run.id, _run_ids(result.table)),
    )


def _run_ids(table: SweepTable) -> list[str]:
    """Of the finished trials, best setting first."""
    finished = [result for setting in table.settings for result in setting.finished]
    return [result.run_id for result in finished if result.run_id is not None]


def tell(
    table: SweepTable,
    trials: Sequence[Trial],
    *,
    name: str,
    command: str,
    source: Sequence[str],
    comparison: Comparison,
    test: str,
    run: Run,
    folder: Path,
    links: Mapping[str, str],
) -> SweepReport:
    """Print the table, write it and the report into `folder`, and log both to `run`.

    source: arguments of the command that select where configs are composed from.
    comparison: how settings are tested against each other. test: when the test part is scored.
    """
    compared, notes = _compare(table, trials, comparison)
    missing = unsupported(table, compared)
    report = SweepReport(
        table=table,
        name=name,
        when=datetime.now().astimezone(),
        version=version("twotower"),
        command=command,
        best_command=_best_command(table, source),
        split=_split(table, trials),
        groups=_groups(compared),
        headline=[compared.headline] if compared and compared.headline else [],
        warnings=[*_warnings(table, test), *notes],
        test_rows=_test_rows(table, test),
        baseline_rows=_baseline_rows(table),
        breakdowns=_breakdowns(compared),
        links={**links, "report": (folder / _REPORT).resolve().as_uri()},
        figure_notes=[missing] if missing else [],
    )
    shares = None if missing else importance(table, seed=comparison.seed)
    figures = sweep_figures(table, shares)
    written = _write(report, figures, folder)
    for path in written:
        run.log_file(path)
    for figure_name, figure in (figures | _more_maps(table)).items():
        run.log_figure(figure, f"plots/{figure_name}.png")
    if compared is not None:
        for frame_name, frame in compared.tables.items():
            run.log_frame(frame, f"comparison/{frame_name}.parquet")
    run.log_metrics(_metrics(table))
    run.save_chart_view(
        [short_name(key) for key in table.keys],
        sorted(table.shown, key=lambda name: name != table.monitor),
        [o.run_id for o in table.results if o.run_id is not None][:_PAINTED],
    )
    run.save_overview(table.monitor)
    run.set_description(_description(report))
    print_sweep(report, terminal())
    return report


def _more_maps(table: SweepTable) -> dict[str, Figure]:
    """Of the metrics that the report leaves out."""
    maps = {
        f"settings_{MetricName.parse(metric).bare}": settings_map(table, metric)
        for metric in table.metrics
        if metric not in table.shown
    }
    return {name: figure for name, figure in maps.items() if figure is not None}


def _compare(
    table: SweepTable, trials: Sequence[Trial], comparison: Comparison
) -> tuple[Compared | None, list[str]]:
    """None, with the reason, where the settings cannot be compared user by user."""
    digests = {trial.spec.hash: trial.split_digest for trial in trials}
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
        compared = comparison.compare(models, MetricName.parse(table.monitor).bare)
    except TwoTowerError as error:
        return None, [
            "the settings could not be compared user by user (the one with the best value may only "
            f"have had the easiest part): {error}"
        ]
    return compared, list(compared.notes)


def _groups(compared: Compared | None) -> dict[str, int] | None:
    if compared is None:
        return None
    groups = compared.models["group"].to_list()
    return dict(zip(compared.models["name"].to_list(), groups, strict=True))


def _breakdowns(compared: Compared | None) -> dict[str, pl.DataFrame]:
    if compared is None:
        return {}
    found = {"by length of the user's history": compared.history}
    if compared.popularity is not None:
        found["by the item's popularity in train"] = compared.popularity
    return found


def _best_command(table: SweepTable, source: Sequence[str]) -> str | None:
    if table.best is None:
        return None
    first = table.best.finished[0]
    if len(table.best.results) == 1:
        return command_line("train", *source, *first.overrides)
    # No single seed is the mean of all, but what was averaged over folds is trained on all of them.
    single = [o for o in first.overrides if o.partition("=")[0] not in first.repeat]
    values = {key: {o.repeat[key]: None for o in table.best.results} for key in first.repeat}
    axes = [f"{key}={','.join(map(str, v))}" for key, v in values.items() if key != "seed"]
    return command_line("train", *(["-m"] if axes else []), *source, *single, *axes)


def _split(table: SweepTable, trials: Sequence[Trial]) -> str:
    digest_of = {trial.spec.hash: trial.split_digest for trial in trials}
    heights = {
        digest_of[o.hash]: o.per_user.height for o in table.results if o.per_user is not None
    }
    users = f"{sum(heights.values()):,} users" if heights else ""
    digests = set(digest_of.values())
    same = f"split {digests.pop()[:8]}" if len(digests) == 1 else f"{len(digests)} splits"
    return ", ".join(part for part in (users, same) if part)


def _warnings(table: SweepTable, test: str) -> Iterator[str]:
    if table.best is not None:
        told = Counter(text for o in table.best.finished for text in o.warnings)
        total = len(table.best.finished)
        for text, count in told.items():
            some = f" (in {count} of {total} repeats)" if count < total else ""
            yield f"{table.best.name}: {text}{some}"
    most = max((len(setting.results) for setting in table.settings), default=0)
    if table.best is not None and len(table.best.finished) < most:
        yield (
            f"{table.best.name}: {len(table.best.finished)} of {most} repeats finished; its mean "
            "is over these; the same command runs the failed ones again (hydra.sweeper.resume)"
        )
    if test == "all":
        yield (
            "the test part was scored for every trial (evaluation.test=all): choosing by it would "
            "be choosing on test; the table is ordered by validation"
        )
    tested = [setting.name for setting in table.settings if any(o.tested for o in setting.results)]
    if test == "best" and len(tested) > 1:
        yield (
            f"the test part has been scored for {len(tested)} settings by now, each once, as the "
            f"sweep grew: {'; '.join(tested)}"
        )


def _test_rows(table: SweepTable, test: str) -> list[Row]:
    settings = table.settings if test == "all" else table.settings[:1]
    return [
        (setting.name, texts)
        for setting in settings
        if (texts := _test_texts(setting, table.monitor))
    ]


def _test_texts(setting: SettingResult, monitor: str) -> dict[str, str]:
    """By metric: the mean over repeats with its spread, or a value with half of its interval."""
    known = setting.finished[0].metrics if setting.finished else {}
    texts = {}
    for name in shown_metrics(known, str(MetricName.parse(monitor).on("test"))):
        mean, half = setting.mean(name), setting.spread(name)
        ends = setting.finished[0].intervals.get(name)
        if half is None and ends is not None:
            half = (ends[1] - ends[0]) / 2
        text = f"{mean:.4f}" if half is None else f"{mean:.4f} ± {half:.4f}"
        texts[MetricName.parse(name).bare] = text
    return texts


def _baseline_rows(table: SweepTable) -> list[Row]:
    if table.best is None:
        return []
    metrics = table.best.finished[0].metrics
    parsed = [MetricName.parse(name) for name in metrics]
    names = dict.fromkeys(p.model for p in parsed if p.part == "baseline" and p.model is not None)
    rows: list[Row] = []
    for name in names:
        monitor = str(MetricName.parse(table.monitor).on("baseline", name))
        shown = shown_metrics(metrics, monitor)
        means = {MetricName.parse(n).bare: table.best.mean(n) for n in shown}
        rows.append((name, {n: f"{v:.4f}" for n, v in means.items() if v is not None}))
    return rows


def _write(report: SweepReport, figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    page, csv, parquet = (folder / name for name in (_REPORT, "table.csv", "table.parquet"))
    elsewhere = {name: link for name, link in report.links.items() if name != "report"}
    text = mask(render(replace(report, links=elsewhere), figures))
    page.write_text(text, encoding="utf-8")
    frame = report.table.frame()
    frame.write_csv(csv)
    frame.write_parquet(parquet)
    return [page, csv, parquet]


def _metrics(table: SweepTable) -> dict[str, float]:
    """Of the whole sweep; those of the chosen setting as `best_val/...`, `best_test/...`."""
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
        told = ", ".join(f"{title} {text}" for title, text in titled.items())
        lines.append(f"- test, {escaped(name)}: {told}")
    return "\n".join(lines)
