"""Each choice of `optimizer` trains, resumes to the same bits, and is checked before any data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from test_trainer import OBJECTIVE, TRAINER, StopError, checkerboard, model_of, weights  # type: ignore[import-not-found]

from twotower.config import build, compose
from twotower.config.tree import choices
from twotower.core.errors import ConfigError
from twotower.training import Fitted, Objective


def fit_with(optimizer: Any, folder: Path | None = None, until: int | None = None) -> Fitted:
    fold = checkerboard()
    objective = Objective(OBJECTIVE.sampler, OBJECTIVE.loss, optimizer)

    def on_epoch(epoch: int, _: object) -> None:
        if epoch == until:
            raise StopError

    model = model_of(fold, 0.1)
    keys: dict[str, Any] = {"seed": 0, "on_epoch": on_epoch, "folder": folder}
    fitted: Fitted = TRAINER.fit(model, fold, objective, **keys)
    return fitted


@pytest.mark.parametrize("choice", choices("optimizer"))
def test_an_optimizer_learns_and_resumes_to_the_same_bits(choice: str, tmp_path: Path) -> None:
    lr = 1.0 if choice == "sgd" else 0.05  # for batches of 8
    optimizer = build(compose("train", [f"optimizer={choice}", f"optimizer.lr={lr}"])).optimizer
    whole = fit_with(optimizer)
    losses = whole.history["train/loss"]
    assert losses[-1] < losses[0]
    with pytest.raises(StopError):
        fit_with(optimizer, tmp_path, until=3)
    resumed = fit_with(optimizer, tmp_path)
    assert torch.equal(weights(resumed), weights(whole))
    assert resumed.history.equals(whole.history)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optimizer=adamw", "optimizer.lr=-1"], "optimizer: Invalid learning rate: -1"),
        (["optimizer=adagrad", "optimizer.lr_decay=-1"], "optimizer: Invalid lr_decay value: -1"),
        (
            ["optimizer=sgd", "optimizer.momentum=0", "optimizer.nesterov=true"],
            "optimizer: Nesterov momentum requires a momentum and zero dampening",
        ),
    ],
)
def test_wrong_values_are_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(compose("train", overrides))


def test_parameters_of_other_optimizers_are_refused_with_those_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"optimizer\.betas: no such key.*Valid: .*momentum"):
        compose("train", ["optimizer=sgd", "optimizer.betas=[0.9,0.99]"])
