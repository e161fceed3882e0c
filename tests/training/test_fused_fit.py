"""Fits by the fused kernel: chosen where it can be, in chunks that change nothing."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import (
    Callback,
    EarlyStopping,
    StochasticWeightAveraging,
)
from test_trainer import (  # type: ignore[import-not-found]
    OBJECTIVE,
    TRAINER,
    broken_off,
    fit,
    scripted,
    weights,
)

from twotower.core.errors import ConfigError
from twotower.loss import DirectAU
from twotower.training.scheduler.linear import LinearDecay

FUSED = replace(TRAINER, kernel="fused")


def kernel_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [record.getMessage() for record in caplog.records]
    return [line for line in lines if line.startswith("trainer.kernel")]


def test_the_kernel_is_logged_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="twotower"):
        fit(TRAINER, epochs=1)
        fit(replace(TRAINER, lightning={"accumulate_grad_batches": 2}), epochs=1)
        fit(replace(TRAINER, kernel="autograd"), epochs=1)
    assert kernel_lines(caplog) == [
        "trainer.kernel: fused",
        "trainer.kernel: autograd, since trainer.lightning.accumulate_grad_batches is set",
    ]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"precision": "64-true"}, "trainer.precision is 64-true"),
        ({"lightning": {"gradient_clip_val": 1.0}}, "gradient_clip_val is set"),
    ],
)
def test_fused_where_it_is_impossible_is_an_error(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=f"trainer.kernel.*{why}"):
        fit(replace(FUSED, **changes))


def test_a_loss_without_a_gradient_of_its_own_is_an_error() -> None:
    objective = replace(OBJECTIVE, loss=DirectAU(1.0, 2.0))
    (error,) = FUSED.conflicts(objective)
    assert "loss DirectAU does not state its gradient" in str(ConfigError(error))
    assert replace(FUSED, kernel="auto").conflicts(objective) == []


@pytest.mark.parametrize("scheduler", [None, LinearDecay(4, 0.5)])
def test_both_kernels_agree(scheduler: Any) -> None:
    trainer = FUSED if scheduler is None else replace(FUSED, scheduler=scheduler)
    keys = {"validate": scripted(0.1, 0.2, 0.3, 0.4)[0], "monitor": "ndcg_at_10", "epochs": 4}
    fused = fit(trainer, **keys)
    keys["validate"] = scripted(0.1, 0.2, 0.3, 0.4)[0]
    autograd = fit(replace(trainer, kernel="autograd"), **keys)
    torch.testing.assert_close(weights(fused), weights(autograd), rtol=1e-3, atol=1e-4)
    assert fused.history.columns == autograd.history.columns
    for name in fused.history.columns:
        assert fused.history[name].to_list() == pytest.approx(
            autograd.history[name].to_list(), rel=1e-3
        )


@pytest.mark.parametrize("size", [1, 8, 100])
def test_the_size_of_chunks_changes_no_bit(size: int) -> None:
    trainer = replace(FUSED, scheduler=LinearDecay(5, 0.5))
    expected, found = fit(trainer), fit(replace(trainer, steps_per_call=size))
    assert torch.equal(weights(expected), weights(found))
    assert expected.history.equals(found.history)


def test_large_draws_come_in_parts_that_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit(FUSED)
    monkeypatch.setattr("twotower.training.batches._MOST_NEGATIVES", 1)
    parts = fit(FUSED)
    assert torch.equal(weights(whole), weights(parts))
    assert whole.history.equals(parts.history)


def test_a_resumed_fit_has_the_same_bits(tmp_path: Path) -> None:
    trainer = replace(FUSED, scheduler=LinearDecay(5, 0.5))
    whole = fit(trainer)
    broken_off(3, trainer=trainer, folder=tmp_path)
    resumed = fit(trainer, folder=tmp_path)
    assert torch.equal(weights(whole), weights(resumed))
    assert whole.history.equals(resumed.history)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kernel": "autograd"}, "kernel is autograd"),
        ({"precision": "64-true"}, "precision is 64-true"),
    ],
)
def test_sparse_adam_is_refused_where_the_kernel_cannot_be_fused(
    changes: dict[str, Any], why: str
) -> None:
    objective = replace(OBJECTIVE, optimizer=partial(torch.optim.SparseAdam, lr=0.1))
    (error,) = replace(TRAINER, **changes).conflicts(objective)
    assert f"SparseAdam needs the fused kernel, but trainer.{why}" in str(ConfigError(error))
    assert TRAINER.conflicts(objective) == []


@pytest.mark.parametrize(
    ("callback", "kernel"),
    [
        (EarlyStopping("train/loss", strict=False), "fused"),
        (StochasticWeightAveraging(0.1), "autograd"),
    ],
)
def test_callbacks_see_what_they_need(
    callback: Callback, kernel: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="twotower"):
        fit(replace(TRAINER, callbacks={"mine": callback}), epochs=2)
    (line,) = kernel_lines(caplog)
    assert line.startswith(f"trainer.kernel: {kernel}")


def test_a_limit_counts_batches() -> None:
    limited = replace(TRAINER, lightning={"limit_train_batches": 2})
    fused, autograd = (
        weights(fit(replace(limited, kernel=name))) for name in ("fused", "autograd")
    )
    torch.testing.assert_close(fused, autograd, rtol=1e-3, atol=1e-4)
