"""The self-contained HTML page of a sweep."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import polars as pl
import pytest
from matplotlib.figure import Figure
from sweep_examples import MONITOR, drawn, grid, report, trial_result  # type: ignore[import-not-found]

from twotower.reporting.sweep.html import render
from twotower.sweeping.sweep_table import SweepTable

# Elements without an end tag.
VOID = {"meta", "img"}


class Page(HTMLParser):
    """rows: texts of each table row. text: all that is read. open: elements not closed yet."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"style", "script"} & set(self.open):
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data.strip()

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.found if name == tag]


def page(table: SweepTable, figures: dict[str, Figure] | None = None, **changes: object) -> Page:
    return Page(render(report(table, **changes), figures or {}))


def test_a_row_a_setting_the_best_first() -> None:
    # 0.1 + log2(32) / 100 + 5 / 1000 = 0.155; 2367 * 32 = 75.7k; 3 + 5 + 32 / 10 = 11.2 s
    shown = page(grid([16, 32], [1, 5]))
    assert shown.open == []
    header = ["#", "emb_dim", "num_negatives", "NDCG@10", "HitRate@10", "Coverage@10", "params"]
    assert shown.rows[0] == [*header, "train s", "epoch", "group"]
    first = ["1", "32", "5", "0.1550 ± 0.0400", "0.5000", "0.1950", "75.7k", "11.2", "10", "1"]
    assert shown.rows[1] == first
    assert [row[0] for row in shown.rows[1:5]] == ["1", "2", "3", "4"]
    assert shown.all("tr")[1]["class"] == "best"


def test_cells_are_sorted_by_number_and_not_by_text() -> None:
    shown = page(grid([16, 128], [5]))
    keys = [attrs["data-key"] for attrs in shown.all("td") if "data-key" in attrs]
    assert len(keys) == 2 * 10
    assert float(keys[6]) == 2367 * 128  # shown as 303k
    assert keys[1] == "128"
    assert len(shown.all("button")) == 10


def test_the_page_reports_what_was_run_and_the_results() -> None:
    table = grid([16, 32], [1, 5])
    text = page(table, warnings=["Popularity is better."]).text
    for words in (
        "Sweep of emb_dim x num_negatives",
        "2026-03-04 12:30",
        "4 trials: 4 finished",
        "last 20% of the time, 95 users",
        "twotower 0.2.0",
        "twotower sweep tower.emb_dim=16,32 dataset.path='a & b.csv'",
        "The second is not shown to be worse.",
        "Popularity is better.",
        "twotower train tower.emb_dim=32",
        "The test part was scored once",
        "twotower ui",
    ):
        assert words in text


def test_the_chosen_setting_is_shown_with_the_baselines() -> None:
    rows = page(grid([16, 32], [1, 5])).rows
    test = rows[rows.index(["", "NDCG@10", "Coverage@10"]) :]
    assert test[1] == ["emb_dim=32 num_negatives=5", "0.1641 ± 0.0494", "0.1726"]
    assert test[2] == ["popularity", "0.1381 ± 0.0418", "0.0476"]


def test_unfinished_trials_are_reported_with_their_errors() -> None:
    lost = trial_result({"a.b": 2}, 0.1, state="diverged", error="<nan> & 'more'")
    table = SweepTable((trial_result({"a.b": 1}, 0.1), lost), MONITOR)
    assert ["b=2", "diverged", "<nan> & 'more'"] in page(table).rows
    assert "did not finish" not in page(grid([16], [1, 5])).text


def test_no_reported_text_becomes_markup() -> None:
    evil = "<script>alert(1)</script>\"'"
    table = SweepTable((trial_result({evil: evil}, 0.1, state="failed", error=evil),), MONITOR)
    shown = page(
        table,
        name=evil,
        command=evil,
        best_command=evil,
        split=evil,
        headline=[evil],
        warnings=[evil],
        test_rows=[(evil, {evil: evil})],
        breakdowns={evil: pl.DataFrame({evil: [evil]})},
        links={evil: evil, "then": "javascript:alert(1)"},
    )
    assert len(shown.all("script")) == 1
    assert shown.all("a") == []  # only web addresses are links
    assert evil in shown.text


def test_the_page_needs_nothing_from_elsewhere() -> None:
    figure = Figure(figsize=(2, 1))
    figure.set_label("A figure.")
    html = render(report(grid([16], [1, 5])), {"one": figure})
    loaded = re.findall(r"""(?:src|srcset|action)=["']([^"']{0,30})|url\(|@import|<link""", html)
    assert loaded == ["data:image/png;base64,iVBORw0K"]
    assert [attrs["href"] for attrs in Page(html).all("a")] == [
        "http://127.0.0.1:5000/#/runs?a=1&b=2"
    ]


def test_figures_are_in_the_page_with_their_words() -> None:
    output, silent = Figure(figsize=(2, 1)), Figure(figsize=(3, 1))
    output.set_label('Best at "16".')
    images = page(grid([16], [1, 5]), {"settings": output, "pareto_front": silent}).all("img")
    assert [image["alt"] for image in images] == ['Best at "16".', "pareto front"]
    assert [image["width"] for image in images] == ["184", "276"]  # 72 pixels an inch
    for image in images:
        data = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))
        assert data.startswith(b"\x89PNG")


def test_a_breakdown_by_model_is_turned_so_that_a_line_is_a_model() -> None:
    frame = pl.DataFrame(
        {
            "n_seen": ["1-5", "1-5", "6-90", "6-90"],
            "n_users": [1200, 1200, 800, 800],
            "name": ["a", "b", "a", "b"],
            "mean": [0.1, 0.2, 0.3, 0.4],
            "low": [0.05, 0.1, None, 0.3],  # half of 0.15 - 0.05 is 0.05
            "high": [0.15, 0.3, None, 0.5],
        }
    )
    rows = page(grid([16], [1, 5]), breakdowns={"By history": frame}).rows
    assert rows[-4:] == [
        ["seen", "1-5", "6-90"],
        ["users", "1,200", "800"],
        ["a", "0.1000 ± 0.0500", "0.3000"],
        ["b", "0.2000 ± 0.1000", "0.4000 ± 0.1000"],
    ]


def test_another_breakdown_stays_as_it_is() -> None:
    frame = pl.DataFrame({"group": ["a", None], "n_items": [1500, 2], "share": [0.25, 1.0]})
    rows = page(grid([16], [1, 5]), breakdowns={"Other": frame}).rows
    assert rows[-3:] == [["group", "items", "share"], ["a", "1,500", "0.2500"], ["", "2", "1.0000"]]


def test_names_with_drawn_numbers_are_cut_in_breakdowns_too() -> None:
    table = drawn(6)
    frame = pl.DataFrame({"n_seen": ["1"], "name": [table.settings[0].name], "mean": [0.5]})
    name = page(table, breakdowns={"By history": frame}).rows[-1][0]
    assert re.fullmatch(r"lr=0\.\d{2,5} dropout=0\.\d{3} loss=bp?[cr]e?", name)


@pytest.mark.parametrize(
    "results", [(), (trial_result({"a": 1}, 0.1, state="failed", error="no"),)]
)
def test_a_sweep_in_which_nothing_finished(results: tuple[object, ...]) -> None:
    table = SweepTable(results, MONITOR)  # type: ignore[arg-type]
    empty = replace(
        report(table), groups=None, headline=[], test_rows=[], baseline_rows=[], links={}
    )
    text = Page(render(empty, {})).text
    assert f"{len(results)} trial" in text
    assert "The best" not in text
    assert "scored once" not in text
