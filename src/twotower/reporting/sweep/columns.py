"""The columns of the table of settings, as the page and the terminal show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from twotower.reporting.sweep import cells
from twotower.reporting.sweep.report import SweepReport
from twotower.sweeping.setting_result import SettingResult
from twotower.sweeping.sweep_table import SweepTable
from twotower.sweeping.varied import brief, is_number
from twotower.types.metric_name import MetricName

__all__ = ["Column", "columns"]


@dataclass(frozen=True)
class Column:
    """title: as shown; about: in full words.

    text: of a setting's cell. key: what its cells are ordered by, None where there is nothing.
    """

    title: str
    about: str
    text: Callable[[SettingResult], str]
    key: Callable[[SettingResult], float | str | None]
    numeric: bool = True


def columns(report: SweepReport, *, bare: bool = False) -> list[Column]:
    """Rank, what varies, the metrics that people look at, what they cost, groups and states.

    A column without a text in any line is left out. bare: ± with the first metric alone.
    """
    table = report.table
    made = [_rank(table), *_varied(table)]
    made += [_metric(m, bare=bare and n > 0) for n, m in enumerate(table.shown)]
    made += [*_costs(), _group(report), _state()]
    return [column for column in made if any(column.text(s) for s in table.settings)]


def _rank(table: SweepTable) -> Column:
    ranks = {id(setting): rank for rank, setting in enumerate(table.settings, start=1)}
    return Column(
        "#",
        "Rank by the mean on validation",
        lambda setting: str(ranks[id(setting)]),
        lambda setting: ranks[id(setting)],
    )


def _varied(table: SweepTable) -> Iterator[Column]:
    for key in table.keys:
        values = [setting.varied.get(key) for setting in table.settings]
        numeric = all(is_number(value) for value in values)
        yield Column(
            table.labels[key],
            key,
            lambda setting, key=key: _shown(setting, key),  # type: ignore[misc]
            lambda setting, key=key, numeric=numeric: (  # type: ignore[misc]
                setting.varied[key] if numeric else _shown(setting, key)
            ),
            numeric,
        )


def _shown(setting: SettingResult, key: str) -> str:
    return brief(setting.varied[key]) if key in setting.varied else ""


def _metric(metric: str, *, bare: bool) -> Column:
    return Column(
        MetricName.parse(metric).title,
        f"{MetricName.parse(metric).title} on validation, of the best epoch",
        lambda setting: cells.value(setting, metric, bare=bare),
        lambda setting: setting.mean(metric),
    )


def _costs() -> list[Column]:
    return [
        Column(
            "params",
            "Parameters that are learned",
            cells.parameters,
            lambda setting: setting.mean(cells.PARAMETERS),
        ),
        Column(
            "train s",
            "Wall time of the training of a trial, in seconds",
            cells.seconds,
            lambda setting: setting.mean(cells.SECONDS),
        ),
        Column(
            "epoch",
            "The best epoch, whose weights are kept",
            cells.best_epoch,
            lambda setting: setting.mean(cells.EPOCH),
        ),
    ]


def _group(report: SweepReport) -> Column:
    def key(setting: SettingResult) -> float | None:
        return None if report.groups is None else report.groups.get(setting.name)

    about = "Settings with the same number are not shown to differ from its first"
    return Column("group", about, lambda setting: report.group(setting.name), key)


def _state() -> Column:
    return Column("state", "What did not finish", cells.state, cells.state, numeric=False)
