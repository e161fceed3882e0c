"""The lines at the end of a run open that run, wherever it was tracked."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from twotower.look import where_to_look
from twotower.config import compose


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
    result = SimpleNamespace(run_id="abc", experiment_id="1")
    opens, then = where_to_look(compose("train", overrides), result)
    assert opens == f"open     {command}"
    assert then.startswith(f"then     {base}/#/experiments/1/runs/abc")


def test_an_untracked_run_opens_nowhere() -> None:
    config = compose("train", ["tracking=none"])
    assert where_to_look(config, SimpleNamespace(run_id=None, experiment_id=None)) == []
