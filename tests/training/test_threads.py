"""The number of threads of a fit: chosen by the size of the model, and restored."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from test_trainer import TRAINER, checkerboard, fit, model_of  # type: ignore[import-not-found]
from torch import nn

from twotower.core.errors import ConfigError
from twotower.model import TwoTower
from twotower.training.threads import using_threads


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def sized(parameters: int) -> TwoTower:
    return TwoTower(nn.Embedding(1, parameters // 2), nn.Embedding(1, parameters - parameters // 2))


@pytest.mark.parametrize(
    ("threads", "parameters", "used"),
    [("auto", 999_999, 1), ("auto", 1_000_000, 4), (2, 10, 2), (3, 1_000_000, 3)],
)
def test_the_size_of_the_model_chooses(threads: Any, parameters: int, used: int) -> None:
    with using_threads(threads, sized(parameters)):
        assert torch.get_num_threads() == used
    assert torch.get_num_threads() == 4


def test_they_are_restored_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), using_threads(2, sized(2)):
        _ = 1 / 0
    assert torch.get_num_threads() == 4


def test_a_fit_uses_them_and_logs_the_number(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "twotower")
    seen = []
    trainer = replace(TRAINER, max_epochs=1, threads=3)
    fit(trainer, on_epoch=lambda *_: seen.append(torch.get_num_threads()))
    assert seen == [3]
    assert "trainer.threads: 3" in caplog.messages
    assert torch.get_num_threads() == 4


def test_one_number_of_threads_gives_the_same_weights_twice() -> None:
    first, second = (fit(replace(TRAINER, threads=2)) for _ in range(2))
    user, again = first.model.user_tower, second.model.user_tower
    assert all(map(torch.equal, user.parameters(), again.parameters()))


@pytest.mark.parametrize("threads", [0, -1, "all", 1.5, True])
def test_what_is_no_number_is_refused(threads: Any) -> None:
    with pytest.raises(ConfigError, match="threads"):
        replace(TRAINER, threads=threads)


def test_the_small_model_of_these_tests_is_small() -> None:
    fold = checkerboard()
    with using_threads("auto", model_of(fold, 0.1, 0)):
        assert torch.get_num_threads() == 1
