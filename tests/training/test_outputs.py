"""Loggers, profilers and callbacks of Lightning around a fit."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from pytorch_lightning import Callback, LightningModule
from pytorch_lightning import Trainer as LightningTrainer
from pytorch_lightning.callbacks import EMAWeightAveraging, ModelCheckpoint, ModelSummary, Timer
from pytorch_lightning.loggers import CSVLogger, MLFlowLogger, TensorBoardLogger
from pytorch_lightning.profilers import PyTorchProfiler, SimpleProfiler
from test_trainer import TRAINER, StopError, checkerboard, fit, scripted, scripted_from, weights  # type: ignore[import-not-found]

from twotower.core.errors import ConfigError, TrainingError
from twotower.training import PROFILES

CSV = partial(CSVLogger, name="", version="", flush_logs_every_n_steps=1)


def test_a_logger_has_one_row_per_epoch_also_of_a_resumed_fit(tmp_path: Path) -> None:
    def stop(epoch: int, _: object) -> None:
        if epoch == 4:
            raise StopError

    trainer = replace(TRAINER, logger={"csv": CSV})
    keys: dict[str, Any] = {"monitor": "ndcg_at_10", "files": tmp_path, "folder": tmp_path / "kept"}
    with pytest.raises(StopError):
        fit(trainer, validate=scripted_from(1), on_epoch=stop, **keys)
    fitted = fit(trainer, validate=scripted_from(4), **keys)
    logged = pl.read_csv(tmp_path / "csv" / "metrics.csv")
    assert logged["step"].to_list() == [1, 2, 3, 4, 5]
    for name in ("train/loss", "val/loss", "val/ndcg_at_10"):
        assert logged[name].to_list() == pytest.approx(fitted.history[name].to_list())


def test_tensorboard_has_event_files(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    logger = partial(TensorBoardLogger, name="", version="")
    fit(replace(TRAINER, logger={"tensorboard": logger}), files=tmp_path)
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))


@pytest.mark.parametrize(
    ("profiler", "files", "shown"),
    [
        (partial(SimpleProfiler, extended=True), ["fit-profile.txt"], "run_training_epoch"),
        (
            partial(PyTorchProfiler, sort_by_key="cpu_time_total", row_limit=5),
            ["fit-profile.txt", "*.pt.trace.json*"],
            "Self CPU time total",
        ),
    ],
    ids=["simple", "pytorch"],
)
def test_a_profile_is_written_and_its_first_rows_are_logged(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    profiler: Any,
    files: list[str],
    shown: str,
) -> None:
    with caplog.at_level("INFO", logger="twotower"):
        fit(replace(TRAINER, profiler=profiler), files=tmp_path)
    for pattern in files:
        assert list((tmp_path / PROFILES).glob(pattern)), sorted((tmp_path / PROFILES).iterdir())
    assert shown in caplog.text
    assert str(tmp_path / PROFILES / "fit-profile.txt") in caplog.text


def test_without_profiler_and_logger_nothing_is_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="twotower"):
        fit(files=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert "profile" not in caplog.text
    assert not TRAINER.writes_files


def test_profiling_and_logging_change_no_weights(tmp_path: Path) -> None:
    watched = replace(TRAINER, profiler=SimpleProfiler, logger={"csv": CSV})
    assert torch.equal(weights(fit(watched, files=tmp_path)), weights(fit()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"logger": {"mine": MLFlowLogger}},
            "logger.mine: MLflow is logged to by tracking; set tracking instead",
        ),
        (
            {"logger": {"csv": partial(CSVLogger, flush=3)}},  # type: ignore[call-arg]
            "logger.csv: CSVLogger.__init__() got an unexpected keyword argument 'flush'",
        ),
        (
            {"profiler": partial(PyTorchProfiler, sort_by_key="time")},
            "profiler: Found sort_by_key: time. Should be within",
        ),
    ],
)
def test_what_cannot_be_made_is_an_error_before_data_is_read(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(TRAINER, **changes)
    assert str(caught.value).startswith(message)


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import lightning_fabric.loggers.tensorboard as module

    monkeypatch.setattr(module, "_TENSORBOARD_AVAILABLE", False)
    monkeypatch.setattr(module, "_TENSORBOARDX_AVAILABLE", False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ConfigError, match=r'pip install "twotower\[tensorboard\]"'):
        replace(TRAINER, logger={"tensorboard": partial(TensorBoardLogger, name="")})


# --- callbacks


class Counting(Callback):
    """Counts epochs, and stops training after the second."""

    def __init__(self) -> None:
        self.epochs = 0

    def on_train_epoch_end(self, trainer: LightningTrainer, module: LightningModule) -> None:
        self.epochs += 1
        trainer.should_stop = self.epochs == 2


def test_each_fit_has_callbacks_of_its_own() -> None:
    counting = Counting()
    trainer = replace(TRAINER, callbacks={"mine": counting})
    assert [fit(trainer).history.height for _ in range(2)] == [2, 2]
    assert counting.epochs == 0


def test_a_timer_stops_after_an_epoch_and_the_best_one_is_kept() -> None:
    timer = Timer(duration={"microseconds": 1}, interval="epoch")
    trainer = replace(TRAINER, callbacks={"timer": timer})
    fitted = fit(trainer, validate=scripted(0.3)[0], monitor="ndcg_at_10")
    assert (fitted.history.height, fitted.best_epoch) == (1, 1)


def test_stopping_before_the_first_validation_is_an_error() -> None:
    trainer = replace(TRAINER, callbacks={"mine": Counting()}, validate_every=3)
    message = r"training ended after epoch 2, before the first validation; .*validate_every"
    with pytest.raises(TrainingError, match=message):
        fit(trainer, validate=scripted()[0], monitor="ndcg_at_10")


def test_a_summary_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="pytorch_lightning.callbacks"):
        fit(replace(TRAINER, max_epochs=1, callbacks={"summary": ModelSummary(max_depth=3)}))
    assert "item_tower" in caplog.text


@pytest.mark.parametrize("validates", [True, False])
def test_the_average_of_the_steps_is_validated_and_kept(validates: bool) -> None:
    # The average over the steps from the first on, started at the weights after it.
    steps: list[torch.Tensor] = []

    class Steps(Callback):
        def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
            steps.append(module.model.item_tower.table().detach().clone())

    trainer = replace(
        TRAINER,
        max_epochs=1,
        callbacks={"steps": Steps(), "ema": EMAWeightAveraging(decay=0.9, update_every_n_steps=1)},
    )
    validate, shown = scripted(0.5)
    keys = {"validate": validate, "monitor": "ndcg_at_10"} if validates else {}
    fitted = fit(trainer, **keys)
    average = steps[0]
    for each in steps[1:]:
        average = 0.9 * average + 0.1 * each
    assert torch.allclose(weights(fitted), average, atol=1e-6)
    assert not torch.allclose(weights(fitted), steps[-1], atol=1e-3)
    if validates:
        scorer = fitted.model.scorer(checkerboard().histories)
        assert torch.equal(scorer.score_all(torch.arange(12)), shown[0])


def test_callbacks_that_act_on_steps_take_the_path_that_has_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ema, timer = EMAWeightAveraging(decay=0.9), Timer(duration="00:01:00:00", interval="epoch")
    small = replace(TRAINER, max_epochs=1, kernel="auto")
    with caplog.at_level("INFO", logger="twotower"):
        fit(replace(small, callbacks={"timer": timer, "mine": Counting()}))
        assert "trainer.kernel: fused" in caplog.text
        caplog.clear()
        fit(replace(small, callbacks={"ema": ema}))
        assert "autograd, since trainer.callbacks.ema acts on single steps" in caplog.text
    with pytest.raises(ConfigError, match=r"kernel: got 'fused', but trainer\.callbacks\.ema acts"):
        fit(replace(small, kernel="fused", callbacks={"ema": ema}))


def test_files_of_callbacks_are_in_the_folder_of_the_fit(tmp_path: Path) -> None:
    trainer = replace(TRAINER, callbacks={"each": ModelCheckpoint(save_top_k=-1)})
    assert trainer.writes_files
    fit(trainer, files=tmp_path)
    assert len(list(tmp_path.rglob("*.ckpt"))) == 5


def test_overfitting_trains_on_the_same_batches_and_validates_all() -> None:
    # With a step size of nearly nothing, the loss of the same batches is the same in each epoch.
    from test_trainer import OBJECTIVE, model_of

    still = replace(OBJECTIVE, optimizer=partial(torch.optim.SGD, lr=1e-30))
    trainer = replace(TRAINER, max_epochs=3, lightning={"overfit_batches": 2})
    fold = checkerboard()
    fitted = trainer.fit(model_of(fold, 0.1), fold, still, seed=0, on_epoch=lambda *_: None)
    assert fitted.history["train/loss"].n_unique() == 1
    assert fitted.cost.positives == 3 * 2 * TRAINER.batch_size
    assert "val/loss" not in fitted.history
    validated = fit(trainer, validate=scripted(0.1, 0.1, 0.1)[0], monitor="ndcg_at_10")
    whole = replace(trainer, lightning={"limit_train_batches": 2})
    expected = fit(whole, validate=scripted(0.1, 0.1, 0.1)[0], monitor="ndcg_at_10")
    assert validated.history["val/loss"][0] == expected.history["val/loss"][0]
