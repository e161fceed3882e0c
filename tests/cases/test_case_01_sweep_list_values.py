"""Sweeps over values that are no single numbers: table, CSV, Parquet, report and best command."""

from __future__ import annotations

import shlex
from pathlib import Path

import polars as pl
from case_runner import Case

from twotower.config import compose

BASE = ("dataset.path=base.csv", "tower=features")


def best_of(text: str) -> list[str]:
    """The overrides of the printed best command, as a shell reads them."""
    (line,) = [line for line in text.splitlines() if line.startswith("best ")]
    program, command, *overrides = shlex.split(line.removeprefix("best "))
    assert (program, command) == ("twotower", "train")
    return overrides


def test_lists_null_and_exponents_are_swept(case: Case) -> None:
    text = case.sweep(*BASE, "tower.hidden=[8],[8,4],[]", "trainer.half_life=null,1.5e1").text
    assert "6 trials: 6 finished" in text
    (folder,) = Path("out", "sweeps").iterdir()
    for table in (pl.read_csv(folder / "table.csv"), pl.read_parquet(folder / "table.parquet")):
        assert set(table["tower.hidden"]) == {"[8]", "[8,4]", "[]"}
        assert set(table["trainer.half_life"]) == {None, 15.0}
    assert (folder / "report.html").is_file()
    assert compose("train", best_of(text))["tower"]["hidden"] in ([8], [8, 4], [])
