"""The columns of the table of settings, for the page and the terminal."""

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
        f"{MetricName.parse(metric).title} on validation, at the best epoch",
        lambda setting: cells.value(setting, metric, bare=bare),
        lambda setting: setting.mean(metric),
    )


def _costs() -> list[Column]:
    return [
        Column(
            "params",
            "Trainable parameters",
            cells.parameters,
            lambda setting: setting.mean(cells.PARAMETERS),
        ),
        Column(
            "train s",
            "Wall time of training one trial, in seconds",
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

    about = "Settings of a group are not shown to differ from its best setting"
    return Column("group", about, lambda setting: report.group(setting.name), key)


def _state() -> Column:
    return Column("state", "Trials that did not finish", cells.state, cells.state, numeric=False)
