"""Sweeps over values that are no single numbers: table, CSV, Parquet, report and best command."""

from __future__ import annotations

import shlex
from pathlib import Path

import polars as pl
import pytest
from case_runner import Case

from twotower.config import compose

BASE = ("dataset.path=base.csv", "tower=features")


def best_of(text: str) -> list[str]:
    """The overrides of the printed best command, as a shell reads them."""
    (line,) = [line for line in text.splitlines() if line.startswith("best ")]
    program, command, *overrides = shlex.split(line.removeprefix("best "))
    assert (program, command) == ("twotower", "train")
    return overrides


@pytest.mark.parametrize(
    ("axis", "texts", "values"),
    [
        ("tower.hidden=[8],[8,4],[]", {"[8]", "[8,4]", "[]"}, ([8], [8, 4], [])),
        ("optimizer.betas=[0.9,0.99],[0.8,1e-3]", {"[0.9,0.99]", "[0.8,0.001]"}, None),
        ("run_name='a, b=1',null,c d", {"'a, b=1'", "c d", None}, ("a, b=1", None, "c d")),
    ],
)
def test_lists_text_and_null_are_swept(
    case: Case, axis: str, texts: set[str], values: tuple[object, ...] | None
) -> None:
    text = case.sweep(*BASE, axis).text
    (folder,) = Path("out", "sweeps").iterdir()
    key = axis.partition("=")[0]
    assert set(pl.read_csv(folder / "table.csv")[key]) == texts
    assert set(pl.read_parquet(folder / "table.parquet")[key]) == texts
    assert (folder / "report.html").is_file()
    group, _, leaf = key.rpartition(".")
    config = compose("train", best_of(text))
    found = config[group][leaf] if group else config[leaf]
    assert values is None or found in values


def test_values_of_differing_types_are_one_axis(case: Case) -> None:
    text = case.sweep(*BASE, "trainer.half_life=null,30,1.5e1", "tower.hidden=[4],[]").text
    assert "6 trials: 6 finished" in text
    (folder,) = Path("out", "sweeps").iterdir()
    assert set(pl.read_csv(folder / "table.csv")["trainer.half_life"]) == {None, 30.0, 15.0}
