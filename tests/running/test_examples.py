"""The examples in the docstrings of public functions and classes run."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path
from typing import Any

import pytest

import twotower
from twotower.running.experiment import Experiment
from twotower.running.result import Result
from twotower.serving.recommender import Recommender
from twotower.types.metric_name import MetricName


@pytest.mark.parametrize(
    "documented",
    [twotower.run, twotower.load, twotower.compare, Result, Recommender, Experiment, MetricName],
)
def test_examples_run(documented: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # they write to outputs/
    names = vars(sys.modules[documented.__module__])
    examples = doctest.DocTestFinder().find(documented, globs=dict(names))
    results = [doctest.DocTestRunner().run(example) for example in examples]
    assert sum(result.attempted for result in results) > 0
    assert sum(result.failed for result in results) == 0
