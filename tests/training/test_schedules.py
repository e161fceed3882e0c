"""The learning rate over the epochs, in a selection, in a refit and across an interruption."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from test_trainer import (  # type: ignore[import-not-found]
    OBJECTIVE,
    SCRIPT,
    TRAINER,
    broken_off,
    fit,
    scripted,
    scripted_from,
    weights,
)
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau, StepLR

from twotower.config import compose
from twotower.core.errors import ConfigError
from twotower.training.batches import Batch
from twotower.training.fused import FusedStep
from twotower.training.scheduler import Schedule
from twotower.training.scheduler.cosine import Cosine
from twotower.training.scheduler.linear import LinearDecay
from twotower.training.scheduler.none import ConstantRate
from twotower.training.scheduler.one_cycle import OneCycle

LR = 0.05  # of OBJECTIVE


def test_a_line_falls_to_0_over_the_last_epochs() -> None:
    schedule = LinearDecay(8, 0.5)
    assert [schedule.factor(epoch) for epoch in (0, 4, 5, 6.5, 8)] == [1, 1, 0.75, 0.375, 0]


def test_a_cosine_rises_in_a_line_and_ends_at_its_final_share() -> None:
    schedule = Cosine(10, warmup=0.2, final=0.1)
    # Half of the 8 epochs after the warm-up: 0.1 + 0.9 / 2.
    assert [schedule.factor(epoch) for epoch in (0, 1, 2, 6, 10, 11)] == pytest.approx(
        [0, 0.5, 1, 0.55, 0.1, 0.1]
    )


def test_one_cycle_is_the_one_of_torch() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    # torch's rise ends after pct_start * total_steps - 1 steps, and its fall after total_steps - 1.
    steps = 100
    ours = OneCycle(steps, pct_start=0.3, div_factor=20.0, final_div_factor=50.0)
    optimizer = torch.optim.SGD([parameter], lr=1.0, momentum=0.9)
    theirs = OneCycleLR(
        optimizer,
        max_lr=1.0,
        total_steps=steps + 1,
        pct_start=(30 + 1) / (steps + 1),
        div_factor=20.0,
        final_div_factor=50.0,
    )
    for step in range(steps):
        assert ours.factor(step) == pytest.approx(theirs.get_last_lr()[0]), step
        optimizer.step()
        theirs.step()
    assert ours.factor(steps) == pytest.approx(1 / 20 / 50)


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: LinearDecay(5, 0.0), "decay"),
        (lambda: LinearDecay(0, 1.0), "epochs"),
        (lambda: Cosine(5, 1.0, 0.0), "warmup"),
        (lambda: Cosine(5, 0.0, 1.5), "final"),
        (lambda: OneCycle(5, 0.0, 25.0, 1e4), "pct_start"),
        (lambda: OneCycle(5, 0.3, 0.5, 1e4), "div_factor"),
    ],
)
def test_wrong_values_are_refused(make: Callable[[], Schedule], key: str) -> None:
    with pytest.raises(ConfigError, match=f"^{key}: got "):
        make()


def step_sizes(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the learning rate of each step of Adam, by either kernel."""
    sizes: list[float] = []
    dense, fused = torch.optim.Adam.step, FusedStep.__call__

    def dense_step(self: torch.optim.Adam, closure: Any = None) -> object:
        if closure is not None:
            sizes.append(self.param_groups[0]["lr"])
        return dense(self, closure)

    def fused_step(self: FusedStep, batch: Batch, size: int, rates: list[float]) -> object:
        sizes.extend(rates)
        return fused(self, batch, size, rates)

    monkeypatch.setattr(torch.optim.Adam, "step", dense_step)
    monkeypatch.setattr(FusedStep, "__call__", fused_step)
    return sizes


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        (ConstantRate(), [LR] * 4),
        # Of 4 steps the last 2: at 2 / 2 and 1 / 2.
        (LinearDecay(4, 0.5), [LR, LR, LR, LR / 2]),
        (LinearDecay(4, 1.0), [LR, 0.75 * LR, 0.5 * LR, 0.25 * LR]),
        # (1 + cos(pi k / 4)) / 2, whose second cosine is the root of a half.
        (Cosine(4, 0.0, 0.0), [LR, (1 + 0.5**0.5) / 2 * LR, 0.5 * LR, (1 - 0.5**0.5) / 2 * LR]),
        (partial(StepLR, step_size=2, gamma=0.1), [LR, LR, 0.1 * LR, 0.1 * LR]),
    ],
)
def test_steps_have_the_learning_rates_of_the_schedule(
    scheduler: Any, expected: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = step_sizes(monkeypatch)
    trainer = replace(TRAINER, scheduler=scheduler, batch_size=60, max_epochs=4)
    fitted = fit(trainer)  # the 60 pairs at once
    assert sizes == pytest.approx(expected)
    constant = isinstance(scheduler, ConstantRate)
    assert fitted.learning_rates == (None if constant else pytest.approx(expected))


@pytest.mark.parametrize("batch_size", [60, 30])  # 1 or 2 steps per epoch, as a refit may have more
def test_fewer_epochs_have_the_step_sizes_of_the_first_ones(
    batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 10 epochs that fall to 0, a refit of 4 has the first 4: 1, .9, .8 and .7 of 0.05."""
    sizes = step_sizes(monkeypatch)
    scheduler = LinearDecay(10, 1.0)
    trainer = replace(TRAINER, scheduler=scheduler, batch_size=batch_size, max_epochs=10)
    fit(trainer, epochs=4)
    per_epoch = 60 // batch_size
    assert len(sizes) == 4 * per_epoch
    assert sizes[::per_epoch] == pytest.approx([LR, 0.045, 0.04, 0.035])
    assert sizes == pytest.approx(
        [LR * (1 - step / (10 * per_epoch)) for step in range(4 * per_epoch)]
    )


def test_steps_of_several_batches_follow_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = step_sizes(monkeypatch)
    lightning = {"accumulate_grad_batches": 2, "limit_train_batches": 3}
    trainer = replace(
        TRAINER, scheduler=LinearDecay(4, 1.0), batch_size=10, max_epochs=4, lightning=lightning
    )
    fit(trainer, epochs=2)
    # Of 3 batches an epoch the first 2 make a step, the third another: 2 of 8 steps per epoch.
    assert sizes == pytest.approx([LR * (1 - step / 8) for step in range(4)])


PLATEAU = partial(ReduceLROnPlateau, mode="max", factor=0.1, patience=0, threshold=0.0)
ON_PLATEAU = replace(TRAINER, scheduler=PLATEAU, batch_size=60)


def test_a_plateau_is_one_of_validation_and_a_refit_repeats_its_rates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = step_sizes(monkeypatch)
    # Epoch 2 is no better than epoch 1, so that epoch 3 has a tenth; epoch 4 is the best.
    validate, _ = scripted(0.3, 0.2, 0.4, 0.5, 0.1)
    chosen = fit(ON_PLATEAU, validate=validate, monitor="ndcg_at_10")
    expected = [LR, LR, 0.1 * LR, 0.1 * LR, 0.1 * LR]
    assert sizes == pytest.approx(expected)
    assert chosen.best_epoch == 4
    sizes.clear()
    fit(ON_PLATEAU, epochs=chosen.best_epoch, rates=chosen.learning_rates)
    assert sizes == pytest.approx(expected[:4])


def test_epochs_without_validation_are_no_plateau(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = step_sizes(monkeypatch)
    trainer = replace(ON_PLATEAU, validate_every=2, max_epochs=6)
    # Validated are epochs 2, 4 and 6: epoch 4 is no better than epoch 2.
    fit(trainer, validate=scripted(0.3, 0.2, 0.4)[0], monitor="ndcg_at_10")
    assert sizes == pytest.approx([LR] * 4 + [0.1 * LR] * 2)


@pytest.mark.parametrize(
    "scheduler", [Cosine(5, 0.3, 0.1), partial(StepLR, step_size=2, gamma=0.5), PLATEAU]
)
@pytest.mark.parametrize("at", [2, 4])
def test_a_schedule_resumes_to_the_same_bits(scheduler: Any, at: int, tmp_path: Path) -> None:
    trainer = replace(TRAINER, scheduler=scheduler)
    keys: dict[str, Any] = {"trainer": trainer, "monitor": "ndcg_at_10"}
    whole = fit(**keys, validate=scripted(*SCRIPT)[0])
    broken_off(at, **keys, folder=tmp_path, validate=scripted(*SCRIPT)[0])
    resumed = fit(**keys, folder=tmp_path, validate=scripted_from(at))
    assert resumed.history.equals(whole.history)
    assert len(set(whole.learning_rates or [])) > 1
    assert torch.equal(weights(resumed), weights(whole))


WARNED = "the best epoch is {} of 4, where the learning rate is still {} of"


@pytest.mark.parametrize(
    ("scheduler", "values", "warned"),
    [
        (LinearDecay(4, 1.0), (0.1, 0.4, 0.3, 0.2), WARNED.format(2, 0.5)),
        (LinearDecay(4, 0.5), (0.4, 0.3, 0.2, 0.1), WARNED.format(1, 1)),
        (LinearDecay(4, 1.0), (0.1, 0.2, 0.3, 0.4), None),
        (Cosine(4, 0.0, 0.0), (0.1, 0.4, 0.3, 0.2), WARNED.format(2, 0.5)),
        (ConstantRate(), (0.4, 0.3, 0.2, 0.1), None),
        (partial(StepLR, step_size=2, gamma=0.5), (0.4, 0.3, 0.2, 0.1), None),
    ],
)
def test_a_best_epoch_before_the_end_of_the_schedule_is_warned_about(
    scheduler: Any,
    values: tuple[float, ...],
    warned: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    trainer = replace(TRAINER, scheduler=scheduler, max_epochs=4)
    with caplog.at_level("WARNING", logger="twotower"):
        fitted = fit(trainer, validate=scripted(*values)[0], monitor="ndcg_at_10")
    assert fitted.warnings == tuple(record.getMessage() for record in caplog.records)
    assert (warned in fitted.warnings[0]) if warned else not fitted.warnings


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        (partial(ReduceLROnPlateau, mode="min"), r"trainer\.scheduler\.mode: got 'min'"),
        (partial(ReduceLROnPlateau, mode="max", factor=2.0), r"trainer\.scheduler: Factor should"),
        (partial(StepLR, gamma=0.5), r"trainer\.scheduler: .*step_size"),
    ],
)
def test_wrong_values_of_torch_schedulers_are_refused(scheduler: Any, message: str) -> None:
    (error,) = replace(TRAINER, scheduler=scheduler).conflicts(OBJECTIVE)
    assert re.search(message, str(error))


def test_a_plateau_needs_validation() -> None:
    off = ["split.validation=false", "trainer.patience=null", "trainer.refit=false"]
    with pytest.raises(ConfigError, match=r"trainer\.scheduler: got ReduceLROnPlateau, which need"):
        compose("train", [*off, "trainer/scheduler=plateau"])


def test_the_key_of_an_earlier_version_names_the_new_one() -> None:
    with pytest.raises(ConfigError, match=r"trainer\.decay: .*trainer\.scheduler\.decay' \(with"):
        compose("train", ["trainer.decay=1"])
