"""Text files with blank lines, without header or with stray quotes, through the command line."""

from __future__ import annotations

import pytest
from case_runner import Case


@pytest.mark.parametrize(
    "overrides",
    [
        ("dataset.path=blank.csv",),
        ("dataset.path=trailing.csv",),
        (
            *("dataset.path=nohead.csv", "dataset.header=false", "dataset.columns.user=1"),
            *("dataset.columns.item=2", "dataset.columns.rating=3", "dataset.columns.timestamp=4"),
        ),
    ],
)
def test_the_rows_are_all_read(case: Case, overrides: tuple[str, ...]) -> None:
    expected = case.train("dataset.path=base.csv").text
    told = case.train(*overrides).text
    for line in ("times: ", "interactions: "):
        assert _line(told, line) == _line(expected, line)


def _line(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if start in line).partition(start)[2]


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("dataset.path=nohead.csv",), "needs dataset.header=false"),
        (("dataset.path=ragged2.csv",), "line 21 has 5 fields, the first row has 4"),
        (("dataset.path=log_quote.tsv",), "line 14 begins a row with an unbalanced quote"),
        (("dataset.path=base.csv", "dataset.separator=\\t"), "is dataset.separator right?"),
        (("dataset.path=base.csv", "dataset.separator=tab"), "is dataset.separator right?"),
        (
            ("dataset.path=base.csv", "dataset.items_path=items_quote.tsv", "tower=features"),
            "items_quote.tsv (dataset.items_path): line 6 begins a row with an unbalanced quote",
        ),
    ],
)
def test_a_fault_names_its_line_and_the_keys(
    case: Case, overrides: tuple[str, ...], told: str
) -> None:
    text = " ".join(case.train(*overrides, code=1).text.split())
    assert told in text
    assert "dataset.quote" in text or "dataset.separator" in text or "dataset.header" in text
    assert "truncate_ragged_lines" not in text


def test_quotes_can_be_turned_off(case: Case) -> None:
    items = ("dataset.items_path=items_quote.tsv", "tower=features")
    case.train("dataset.path=base.csv", *items, "dataset.quote=null")
    case.train("dataset.path=log_quote.tsv", "dataset.quote=null")
