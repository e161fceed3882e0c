"""The columns of the table of settings, for the page and the terminal."""

from __future__ import annotations

from collections.abc import Callable
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
    """A column of the table of settings.

    Attributes:
        title: as shown.
        about: a sentence, shown as a tooltip.
        text: the cell of a setting.
        key: the value that a setting is sorted by; None if it has none.
    """

    title: str
    about: str
    text: Callable[[SettingResult], str]
    key: Callable[[SettingResult], float | str | None]
    numeric: bool = True


def columns(report: SweepReport, *, bare: bool = False) -> list[Column]:
    """Return the columns: rank, varied keys, metrics, costs, group and state.

    A column that is empty in every row is left out.

    Args:
        bare: show ± for the first metric only.
    """
    table, groups = report.table, report.groups or {}
    ranks = {id(setting): rank for rank, setting in enumerate(table.settings, start=1)}
    about = "Settings of a group are not shown to differ from its best setting"
    found = [
        Column(
            "#",
            "Rank by the mean on validation",
            lambda setting: str(ranks[id(setting)]),
            lambda setting: ranks[id(setting)],
        ),
        *(_varied(table, key) for key in table.keys),
        *(_metric(metric, bare=bare and n > 0) for n, metric in enumerate(table.shown)),
        _mean("params", "Trainable parameters", cells.PARAMETERS, cells.parameters),
        _mean("train s", "Seconds of training one trial", cells.SECONDS, cells.seconds),
        _mean("epoch", "The best epoch, whose weights are kept", cells.EPOCH, cells.best_epoch),
        Column(
            "group",
            about,
            lambda setting: str(groups.get(setting.name, "")),
            lambda setting: groups.get(setting.name),
        ),
        Column("state", "Trials that did not finish", cells.state, cells.state, numeric=False),
    ]
    return [column for column in found if any(column.text(s) for s in table.settings)]


def _varied(table: SweepTable, key: str) -> Column:
    def text(setting: SettingResult) -> str:
        return brief(setting.varied[key]) if key in setting.varied else ""

    numeric = all(is_number(setting.varied.get(key)) for setting in table.settings)
    sort_key = (lambda setting: setting.varied[key]) if numeric else text
    return Column(table.labels[key], key, text, sort_key, numeric)


def _metric(metric: str, *, bare: bool) -> Column:
    title = MetricName.parse(metric).title
    about = f"{title} on validation, at the best epoch"
    return _mean(title, about, metric, lambda setting: cells.value(setting, metric, bare=bare))


def _mean(title: str, about: str, metric: str, text: Callable[[SettingResult], str]) -> Column:
    return Column(title, about, text, lambda setting: setting.mean(metric))
