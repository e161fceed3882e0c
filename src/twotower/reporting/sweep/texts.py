"""The sentences and rows of a sweep's report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from twotower.config import command as command_line
from twotower.core.numbers import score
from twotower.reporting.sweep.cells import value
from twotower.reporting.sweep.report import Row
from twotower.sweeping.sweep_result import SweepResult
from twotower.sweeping.sweep_table import SweepTable
from twotower.types.metric_name import MetricName, shown_metrics

__all__ = ["baseline_rows", "best_command", "split_words", "test_rows", "warnings"]


def best_command(table: SweepTable, source: Sequence[str]) -> str | None:
    """Return the command that trains the best setting alone; None where no trial finished."""
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


def split_words(result: SweepResult) -> str:
    """Return the number of users and the split, such as `95 users, split 0a1b2c3d`."""
    digest_of = {trial.spec.hash: trial.split_digest for trial in result.trials}
    heights = {
        digest_of[o.hash]: o.per_user.height for o in result.table.results if o.per_user is not None
    }
    users = f"{sum(heights.values()):,} users" if heights else ""
    digests = set(digest_of.values())
    same = f"split {digests.pop()[:8]}" if len(digests) == 1 else f"{len(digests)} splits"
    return ", ".join(part for part in (users, same) if part)


def warnings(table: SweepTable, test: str) -> Iterator[str]:
    """Yield what to be careful about in the results, a sentence each."""
    if table.best is not None:
        counts = Counter(text for o in table.best.finished for text in o.warnings)
        total = len(table.best.finished)
        for text, count in counts.items():
            some = f" (in {count} of {total} repeats)" if count < total else ""
            yield f"{table.best.name}: {text}{some}"
    most = max((len(setting.results) for setting in table.settings), default=0)
    if table.best is not None and len(table.best.finished) < most:
        yield (
            f"{table.best.name}: {len(table.best.finished)} of {most} repeats finished, and its "
            "mean is over these; rerun the command to retry the failed ones (hydra.sweeper.resume)"
        )
    if test == "all":
        yield (
            "the test part was scored for every trial (evaluation.test=all): do not choose a "
            "setting by it; the table is ordered by validation"
        )
    tested = [setting.name for setting in table.settings if any(o.tested for o in setting.results)]
    if test == "best" and len(tested) > 1:
        yield (
            f"the test part has been scored for {len(tested)} settings by now, each once, as the "
            f"sweep grew: {'; '.join(tested)}"
        )


def test_rows(table: SweepTable, test: str) -> list[Row]:
    """Return the metrics of the tested settings: of all where `test` is `all`, else of the best."""
    settings = table.settings if test == "all" else table.settings[:1]
    monitor = str(MetricName.parse(table.monitor).on("test"))
    rows = []
    for setting in settings:
        known = setting.finished[0].metrics if setting.finished else {}
        names = shown_metrics(known, monitor)
        rows.append((setting.name, {MetricName.parse(n).bare: value(setting, n) for n in names}))
    return [(name, texts) for name, texts in rows if texts]


def baseline_rows(table: SweepTable) -> list[Row]:
    """Return the test metrics of the baselines that the best setting was measured against."""
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
        rows.append((name, {n: score(v) for n, v in means.items() if v is not None}))
    return rows
