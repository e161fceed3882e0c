"""The lines at the end of a run open that run, wherever it was tracked."""

from __future__ import annotations

import pytest

from twotower.config import compose
from twotower.reporting.links import sweep_links, where_to_look
from twotower.tracking import chart_view


@pytest.mark.parametrize(
    ("overrides", "command", "base"),
    [
        ([], "twotower ui", "http://127.0.0.1:5000"),
        (["output_dir=runs"], "twotower ui output_dir=runs", "http://127.0.0.1:5000"),
        (
            ["tracking.experiment_name='a study'"],
            "twotower ui 'tracking.experiment_name=a study'",
            "http://127.0.0.1:5000",
        ),
        (
            ["tracking.uri=sqlite:///other.db"],
            "twotower ui tracking.uri=sqlite:///other.db",
            "http://127.0.0.1:5000",
        ),
        (
            ["tracking=server", "tracking.uri='https://me:secret@host:8080'"],
            "twotower ui tracking=server 'tracking.uri=https://***@host:8080'",  # no password,
            "https://host:8080",
        ),
    ],
)
def test_the_command_names_what_differs_from_the_defaults(
    overrides: list[str], command: str, base: str
) -> None:
    opens, then, runs = where_to_look(compose("train", overrides), "1", "abc")
    assert opens == f"open     {command}"
    assert then.startswith(f"then     {base}/#/experiments/1/runs/abc")
    assert runs.startswith(f"runs     {base}/#/experiments/1/runs?")


def test_an_untracked_run_opens_nowhere() -> None:
    config = compose("train", ["tracking=none"])
    assert where_to_look(config, None, None) == []


def test_a_sweep_opens_its_trials_side_by_side_and_on_charts() -> None:
    config = compose("train", [])
    links = sweep_links(config, "1", "parent", ["b", "a"])
    assert links["open"] == "twotower ui"
    assert "compare-runs?runs=%5B%22b%22%2C%22a%22%5D" in links["compare"]  # ["b","a"]
    assert links["charts"].endswith("viewStateShareKey=parent")
    assert "compareRunsMode=CHART" in links["charts"]
    assert links["table"] == links["charts"].replace("&compareRunsMode=CHART", "")
    assert "/runs/parent?" in links["sweep"]
    assert sweep_links(config, None, None, []) == {}


def test_where_views_are_not_known_links_are_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart_view, "version", lambda _: "4.0.0")
    config = compose("train", ["evaluation.k=[5,10]", "evaluation.monitor=recall"])
    for link in (
        sweep_links(config, "1", "parent", [])["charts"],
        where_to_look(config, "1", "r")[2],
    ):
        assert "viewStateShareKey" not in link
        assert "orderByKey=metrics.%60val%2Frecall_at_5%60&orderByAsc=false" in link


def test_where_a_server_does_not_say_its_version_links_are_plain() -> None:
    config = compose("train", ["tracking=server", "tracking.uri=http://127.0.0.1:9"])
    assert "viewStateShareKey" not in sweep_links(config, "1", "parent", [])["charts"]
