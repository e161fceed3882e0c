"""The settings of a sweep, compared user by user."""

from __future__ import annotations

import polars as pl

from twotower.comparison import Compared, Model, Repeat
from twotower.core.errors import TwoTowerError
from twotower.sweeping.sweep_result import SweepResult
from twotower.types.metric_name import MetricName

__all__ = ["breakdowns", "compare_settings", "groups"]


def compare_settings(result: SweepResult) -> tuple[Compared | None, list[str]]:
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


def groups(compared: Compared | None) -> dict[str, int] | None:
    """Return the group of each setting by its name; None where they were not compared."""
    if compared is None:
        return None
    numbers = compared.models["group"].to_list()
    return dict(zip(compared.models["name"].to_list(), numbers, strict=True))


def breakdowns(compared: Compared | None) -> dict[str, pl.DataFrame]:
    """Return the tables of where settings differ, by title."""
    if compared is None:
        return {}
    found = {"by length of the user's history": compared.history}
    if compared.popularity is not None:
        found["by the item's popularity in train"] = compared.popularity
    return found
