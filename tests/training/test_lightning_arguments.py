"""Every argument of Lightning's Trainer either works or is refused before data is read."""

from __future__ import annotations

from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer as LightningTrainer
from test_trainer import OBJECTIVE, TRAINER, checkerboard, fit, model_of, scripted, weights  # type: ignore[import-not-found]

from twotower.config import build, compose
from twotower.core.errors import ConfigError, TrainingError
from twotower.training import Objective
from twotower.training.lightning_arguments import REPLACED, LightningArguments
from twotower.training.scheduler.linear import LinearDecay

ARGUMENTS = sorted(signature(LightningTrainer).parameters)

WORKS: dict[str, tuple[Any, ...]] = {
    "limit_train_batches": (1, 3, 0.5, 1.0, None),
    "accumulate_grad_batches": (1, 3),
    "gradient_clip_val": (1, 0.5, None),
    "gradient_clip_algorithm": ("norm", "value", None),
    "deterministic": (True, False, "warn", None),
    "benchmark": (True, False, None),
    "inference_mode": (True, False),
    "detect_anomaly": (True, False),
    "overfit_batches": (1, 3),
    "log_every_n_steps": (1, 50),
}
WRONG: dict[str, tuple[Any, ...]] = {
    "limit_train_batches": (0, -1, 0.0, 1.5, True, "all"),
    "accumulate_grad_batches": (0, 1.5, True, None, {4: 2}),
    "gradient_clip_val": (0, -1.0, float("inf"), float("nan"), "1", True),
    "gradient_clip_algorithm": ("max", 1),
    "deterministic": ("yes", 1),
    "benchmark": ("auto", 1),
    "inference_mode": (None, 0),
    "detect_anomaly": ("true", 1),
    "overfit_batches": (0, 0.5, -1, True),
    "log_every_n_steps": (0, 1.5, None),
}


def test_each_argument_is_in_one_of_both_tables() -> None:
    assert LightningArguments.__annotations__.keys() == WORKS.keys() == WRONG.keys()
    assert sorted([*WORKS, *REPLACED]) == ARGUMENTS


def arguments(name: str, value: Any) -> dict[str, Any]:
    """Return the argument with those that it requires."""
    required = {"gradient_clip_val": 1.0} if name == "gradient_clip_algorithm" else {}
    return {**required, name: value}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in WORKS.items() for v in vs])
def test_what_is_available_works(name: str, value: Any, tmp_path: Path) -> None:
    """In a selection with early stopping and decay, in a sweep's trial, and in a refit."""
    trainer = replace(
        TRAINER,
        max_epochs=3,
        scheduler=LinearDecay(3, 1.0),
        patience=2,
        lightning=arguments(name, value),
    )
    validate, _ = scripted(0.1, 0.3, 0.2)
    chosen = fit(trainer, validate=validate, monitor="ndcg_at_10", folder=tmp_path / "trial")
    assert (chosen.best_epoch, chosen.history.height) == (2, 3)
    refit = fit(trainer, epochs=2)
    assert refit.history.height == 2
    assert torch.isfinite(weights(refit)).all()
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark


def test_available_arguments_do_what_they_say() -> None:
    plain = weights(fit())
    for same in ({"limit_train_batches": 1.0}, {"deterministic": True}, {"inference_mode": False}):
        assert torch.equal(weights(fit(replace(TRAINER, lightning=same))), plain)
    for other in (
        {"limit_train_batches": 2},
        {"accumulate_grad_batches": 2},
        {"gradient_clip_val": 1e-3},
        {"gradient_clip_val": 1e-3, "gradient_clip_algorithm": "value"},
    ):
        assert not torch.equal(weights(fit(replace(TRAINER, lightning=other))), plain)


@pytest.mark.parametrize("name", sorted(REPLACED))
@pytest.mark.parametrize("value", [True, 0, 2, "text", None])
def test_what_would_break_a_fit_is_refused_with_what_to_set(name: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(TRAINER, lightning={name: value})
    assert str(caught.value) == (
        f"lightning.{name}: got {value!r}, but this argument is not available: {REPLACED[name]}"
    )


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in WRONG.items() for v in vs])
def test_wrong_values_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^lightning\.{name}: got .*; input should be "):
        replace(TRAINER, lightning=arguments(name, value))


def test_all_errors_come_at_once_before_data_is_read() -> None:
    keys = ("fast_dev_run=true", "limit_train_batches=0", "gradient_clip_vall=1")
    overrides = [f"+trainer.lightning.{key}" for key in keys]
    with pytest.raises(ConfigError) as caught:
        compose("train", overrides)
    text = str(caught.value)
    assert "no data was read" in text
    assert "trainer.lightning.fast_dev_run: got True, but this argument is not available" in text
    assert "set debug=fast_dev_run" in text
    assert "trainer.lightning.limit_train_batches: got 0; input should be greater than 0" in text
    assert "trainer.lightning.gradient_clip_vall: no such argument; did you mean" in text


def test_a_clipping_algorithm_needs_a_value() -> None:
    with pytest.raises(ConfigError, match="gradient_clip_algorithm: does nothing by itself"):
        replace(TRAINER, lightning={"gradient_clip_algorithm": "norm"})


def test_a_share_below_one_batch_is_refused() -> None:
    trainer = replace(TRAINER, lightning={"limit_train_batches": 0.01})
    with pytest.raises(ConfigError, match=r"trainer: .*limit_train_batches=0\.125"):
        fit(trainer)


def test_a_nan_found_by_detect_anomaly_is_a_training_error() -> None:
    class NotANumber:
        def __call__(self, scores: Any) -> torch.Tensor:
            loss: torch.Tensor = (scores.positive * 0).sqrt().sum()  # its gradient is 0 / 0
            return loss

    trainer = replace(TRAINER, lightning={"detect_anomaly": True})
    objective = Objective(OBJECTIVE.sampler, NotANumber(), OBJECTIVE.optimizer)
    fold = checkerboard()
    with (
        pytest.raises(TrainingError, match=r"training has diverged: .* returned nan values"),
        pytest.warns(UserWarning, match="Error detected in"),
    ):
        trainer.fit(model_of(fold, 0.1), fold, objective, seed=0, on_epoch=lambda *_: None)


# --- what depends on the machine


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "64-true"])
def test_precisions_of_a_cpu(precision: Any) -> None:
    validate, _ = scripted(0.1, 0.3)
    trainer = replace(TRAINER, max_epochs=2, precision=precision)
    assert fit(trainer, validate=validate, monitor="ndcg_at_10").best_epoch == 2


def test_what_a_machine_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"trainer: this machine cannot train with .*=gpu"):
        replace(TRAINER, accelerator="gpu").check_device()
    for accelerator in ("cpu", "auto"):
        with pytest.raises(ConfigError, match=r"trainer\.precision: got 16-mixed, which needs"):
            replace(TRAINER, accelerator=accelerator, precision="16-mixed").check_device()
        replace(TRAINER, accelerator=accelerator).check_device()


@pytest.mark.parametrize("accelerator", ["mps", "tpu"])
def test_accelerators_without_float64_are_not_offered(accelerator: str) -> None:
    with pytest.raises(ConfigError, match=r"trainer\.accelerator: .*'auto', 'cpu' or 'gpu'"):
        compose("train", [f"trainer.accelerator={accelerator}"])


def test_a_fused_optimizer_cannot_clip_in_mixed_precision() -> None:
    config = ["trainer.precision=bf16-mixed", "+trainer.lightning.gradient_clip_val=1.0"]
    with pytest.raises(ConfigError, match=r"gradient_clip_val: .* set optimizer\.fused=false"):
        build(compose("train", config))
    build(compose("train", [*config, "optimizer.fused=false"]))
