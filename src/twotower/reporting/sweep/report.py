"""The contents of a sweep's report, for the page and the terminal."""

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
    """The contents of a sweep's report.

    Attributes:
        name: the keys that vary, such as `emb_dim x num_negatives`.
        when: the end of the sweep.
        version: of twotower.
        command: as typed.
        best_command: trains the best setting alone; None if no trial finished.
        split: the split in words.
        groups: group of each setting by its name, from 1; the settings of a group are not shown to
            differ from its best. None if that was not tested.
        headline: the main findings, a sentence each.
        warnings: what to be careful about, a sentence each.
        test_rows: the tested settings on the test part.
        baseline_rows: the baselines on the test part.
        breakdowns: by title, such as `by length of history`; one row per group, or per group and
            model, with the columns of the group before `name` and those of the model after it.
        links: addresses by their target, such as `MLflow`.
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

    @property
    def test_metrics(self) -> list[str]:
        """The metrics of the test rows, in their order."""
        rows = [*self.test_rows, *self.baseline_rows]
        return list(dict.fromkeys(metric for _, texts in rows for metric in texts))
