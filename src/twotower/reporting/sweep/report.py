"""What there is to tell of a sweep, whether on a page or on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from twotower.sweeping.sweep_table import SweepTable

__all__ = ["Row", "SweepReport"]

Row = tuple[str, Mapping[str, str]]  # name, and text by metric: `0.1641 ± 0.0494`, `ndcg_at_10`


@dataclass(frozen=True)
class SweepReport:
    """A sweep that is over.

    name: what varies, such as `emb_dim x num_negatives`.
    when: when it ended.
    version: of twotower.
    command: what was typed; best_command: what trains the chosen setting alone, None where no
        trial finished.
    split: the split in words.
    groups: group of each setting by its name, from 1; the settings of a group are not shown to
        differ. None where that was not tested.
    headline: sentences that say what came out; warnings: what to be wary of.
    test_rows: the chosen trials on the test part; baseline_rows: the baselines on the same.
    breakdowns: by title, such as `by length of history`; one row a group, or one a group and model,
        where the columns before `name` tell of the group and those after it of the model.
    links: address by what is there, such as `MLflow`.
    figure_notes: why a figure is not shown, a sentence each.
    """

    table: SweepTable
    name: str
    when: datetime
    version: str
    command: str
    best_command: str | None
    split: str
    groups: Mapping[str, int] | None
    headline: Sequence[str]
    warnings: Sequence[str]
    test_rows: Sequence[Row]
    baseline_rows: Sequence[Row]
    breakdowns: Mapping[str, pl.DataFrame]
    links: Mapping[str, str]
    figure_notes: Sequence[str] = ()

    @property
    def test_metrics(self) -> list[str]:
        """Those of the test rows, in their order."""
        rows = [*self.test_rows, *self.baseline_rows]
        return list(dict.fromkeys(metric for _, texts in rows for metric in texts))

    def group(self, name: str) -> str:
        """Of the setting `name`; empty where it has none."""
        group = None if self.groups is None else self.groups.get(name)
        return "" if group is None else str(group)
