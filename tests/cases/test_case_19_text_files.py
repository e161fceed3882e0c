"""Text files with blank lines, without header or with stray quotes, through the command line."""

from __future__ import annotations

import pytest
from case_runner import Case


def test_the_rows_are_all_read(case: Case) -> None:
    expected = case.train("dataset.path=base.csv").text
    for overrides in (
        ("dataset.path=trailing.csv",),
        (
            *("dataset.path=nohead.csv", "dataset.header=false", "dataset.columns.user=1"),
            *("dataset.columns.item=2", "dataset.columns.rating=3", "dataset.columns.timestamp=4"),
        ),
    ):
        output = case.train(*overrides).text
        for line in ("times: ", "interactions: "):
            assert _line(output, line) == _line(expected, line)


def _line(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if start in line).partition(start)[2]


@pytest.mark.parametrize(
    ("overrides", "output"),
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
    case: Case, overrides: tuple[str, ...], output: str
) -> None:
    text = " ".join(case.train(*overrides, code=1).text.split())
    assert output in text
    assert "dataset.quote" in text or "dataset.separator" in text or "dataset.header" in text
    assert "truncate_ragged_lines" not in text


def test_quotes_can_be_turned_off(case: Case) -> None:
    items = ("dataset.items_path=items_quote.tsv", "tower=features")
    case.train("dataset.path=base.csv", *items, "dataset.quote=null")


def test_headless_files_of_two_kinds_with_lists_and_a_title(case: Case) -> None:
    rows = (case.folder / "nohead.csv").read_text().splitlines()
    (case.folder / "u.data").write_text("\n".join(row.replace(",", "::") for row in rows))
    names = [f'{item}\t"Film {item}\ta|b{item % 3}' for item in range(1, 30)]
    (case.folder / "films.tsv").write_text("\n".join(["2\tname\tgenres", *names]))
    output = case.train(
        *("dataset.path=u.data", "dataset.items_path=films.tsv", "dataset.title=name"),
        *("dataset.separator={log: '::', items: tab}", "dataset.header={log: false, items: true}"),
        *("dataset.quote=null", "dataset.lists={genres: '|'}"),
        "dataset.columns={user: 1, item: 2, rating: 3, timestamp: 4}",
        *("tower=features", "tower.item_columns={genres: multi_valued, name: text}"),
    ).text
    assert "times: " in output
    case.call("recommend", "k=1", "out=rec.csv", "output_dir=out")
    assert '"Film' in (case.folder / "rec.csv").read_text().replace('""', '"')
