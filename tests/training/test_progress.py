"""Progress: a bar where it can be drawn, a line per epoch elsewhere, nothing where not wanted."""

from __future__ import annotations

import logging
import re
import sys
from dataclasses import replace

import pytest
from test_trainer import TRAINER, fit, scripted  # type: ignore[import-not-found]

SHOWN = replace(TRAINER, progress_bar=True, max_epochs=2)


def progress_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    progress = "twotower.training.progress"
    return [record.getMessage() for record in caplog.records if record.name == progress]


def test_a_bar_shows_epoch_and_metrics(
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with caplog.at_level(logging.INFO, logger="twotower"):
        fit(SHOWN, title="a fit")
    shown = capsys.readouterr().err
    assert "a fit, epoch 2/2" in shown
    assert "train/loss=0." in shown
    assert progress_lines(caplog) == []


def test_a_log_gets_one_line_per_epoch(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="twotower"):
        fit(SHOWN, validate=scripted(0.25, 0.5)[0], monitor="ndcg_at_10")
        fit(SHOWN, epochs=1, title="refit")
    assert capsys.readouterr().err == ""
    lines = progress_lines(caplog)
    number = r"\d+\.\d{4}"
    expected = [
        rf"training, epoch 1/2: train/loss {number}, val/loss {number}, "
        r"val/ndcg_at_10 0\.2500, \d+\.\d s",
        rf"training, epoch 2/2: train/loss {number}, val/loss {number}, "
        r"val/ndcg_at_10 0\.5000, \d+\.\d s",
        rf"refit, epoch 1/1: train/loss {number}, \d+\.\d s",
    ]
    assert len(lines) == 3
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line)


def test_without_progress_there_is_neither(
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for can in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda can=can: can)
        with caplog.at_level(logging.INFO, logger="twotower"):
            fit(replace(SHOWN, progress_bar=False))
    assert capsys.readouterr().err == ""
    assert progress_lines(caplog) == []
