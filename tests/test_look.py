"""The lines at the end of a run open that run, wherever it was tracked."""

from __future__ import annotations

import pytest

from twotower.config import compose
from twotower.look import sweep_links, where_to_look


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
    opens, then = where_to_look(compose("train", overrides), "1", "abc")
    assert opens == f"open     {command}"
    assert then.startswith(f"then     {base}/#/experiments/1/runs/abc")


def test_an_untracked_run_opens_nowhere() -> None:
    config = compose("train", ["tracking=none"])
    assert where_to_look(config, None, None) == []


def test_a_sweep_opens_its_trials_side_by_side_and_on_charts() -> None:
    config = compose("train", [])
    links = sweep_links(config, "1", "parent", ["b", "a"])
    assert links["open"] == "twotower ui"
    assert "compare-runs?runs=%5B%22b%22%2C%22a%22%5D" in links["compare"]  # ["b","a"]
    assert links["charts"].endswith("viewStateShareKey=parent")
    assert "/runs/parent?" in links["sweep"]
    assert sweep_links(config, None, None, []) == {}
