"""An argument of Lightning's Trainer works or is refused before data is read."""

from __future__ import annotations

import re

import pytest
from case_runner import Case


@pytest.mark.parametrize(
    ("argument", "instead"),
    [
        ("fast_dev_run=true", "debug=fast_dev_run"),
        ("limit_train_batches=0", "greater than 0"),
        ("max_time=00:00:00:01", "trainer.max_epochs"),
        ("overfit_batches=0", "greater than 0"),
        ("barebones=true", "trainer.progress_bar=false"),
        ("limit_val_batches=0", "trainer.validate_every"),
        ("fast_dev_rum=true", "no such argument"),
    ],
)
def test_what_breaks_a_fit_is_refused_before_data_is_read(
    case: Case, argument: str, instead: str
) -> None:
    text = case.train(f"trainer.lightning.{argument}", "dataset.path=absent.csv", code=1).text
    assert f"trainer.lightning.{argument.partition('=')[0]}: " in text
    assert instead in text
    assert "absent.csv" not in text


def test_what_works_runs_with_a_line_per_epoch(case: Case) -> None:
    text = case.train(
        "dataset.path=base.csv",
        "trainer.lightning.gradient_clip_val=0.5",
        "trainer.lightning.accumulate_grad_batches=2",
        "trainer.max_epochs=2",
        "trainer.refit=true",
        "trainer.progress_bar=true",
    ).text
    lines = [line for line in text.splitlines() if ", epoch " in line]
    assert len(lines) >= 3
    for number, line in enumerate(lines[:2], 1):
        assert re.fullmatch(
            rf"training, epoch {number}/2: train/loss \S+, val/loss \S+, val/\S+ \S+, \S+ s", line
        )
    assert lines[2].startswith("refit, epoch 1/")
    assert "%|" not in text  # of a bar
