"""When training ends: patience in steps, and notes on the best epoch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import torch
from test_trainer import TRAINER, StopError, fit, scripted, weights  # type: ignore[import-not-found]

from twotower.training import Cost, Fitted, training_notes

# The best is epoch 1 of at most 12.
FALLING = tuple(0.9 - 0.05 * n for n in range(12))


@pytest.mark.parametrize(
    ("batch_size", "patience_steps", "validate_every", "epochs"),
    [
        # 60 pairs: 8 steps of 8 pairs per epoch. 1 epoch is the best, and two validations follow.
        (8, 0, 1, 3),
        (8, 16, 1, 3),
        (8, 17, 1, 4),  # two epochs take 16 steps, three 24
        (8, 40, 1, 6),
        # 2 steps of 30 pairs: the same 8 steps are four epochs.
        (30, 8, 1, 5),
        (60, 8, 1, 9),
        # Validated are epochs 2, 4, 6, ...; two of them without a better one are 4 epochs more.
        (30, 8, 2, 6),
        (30, 9, 2, 8),
    ],
)
def test_training_stops_after_validations_and_steps_without_a_better_one(
    batch_size: int, patience_steps: int, validate_every: int, epochs: int
) -> None:
    trainer = replace(
        TRAINER,
        max_epochs=12,
        batch_size=batch_size,
        patience=2,
        patience_steps=patience_steps,
        validate_every=validate_every,
    )
    validate, _ = scripted(*FALLING)
    fitted = fit(trainer, validate=validate, monitor="ndcg_at_10")
    assert fitted.history.height == epochs
    assert fitted.best_epoch == validate_every


def test_a_better_value_restarts_the_count() -> None:
    # 2 steps per epoch: best in epochs 1 and 4, and 6 steps after epoch 4 are over in epoch 7.
    trainer = replace(TRAINER, max_epochs=12, batch_size=30, patience=1, patience_steps=6)
    validate, _ = scripted(0.2, 0.1, 0.1, 0.3, *[0.1] * 8)
    fitted = fit(trainer, validate=validate, monitor="ndcg_at_10")
    assert (fitted.best_epoch, fitted.history.height) == (4, 7)


def test_accumulated_gradients_make_fewer_steps() -> None:
    # 8 batches are 4 optimizer steps: 8 steps are two epochs.
    trainer = replace(
        TRAINER,
        max_epochs=12,
        patience=1,
        patience_steps=8,
        lightning={"accumulate_grad_batches": 2},
    )
    validate, _ = scripted(*FALLING)
    assert fit(trainer, validate=validate, monitor="ndcg_at_10").history.height == 3


def test_steps_are_counted_across_an_interruption(tmp_path: Path) -> None:
    trainer = replace(TRAINER, max_epochs=12, batch_size=30, patience=2, patience_steps=8)
    whole = fit(trainer, validate=scripted(*FALLING)[0], monitor="ndcg_at_10")
    assert whole.history.height == 5

    def stop(epoch: int, _: object) -> None:
        if epoch == 4:
            raise StopError

    keys = {"monitor": "ndcg_at_10", "folder": tmp_path}
    with pytest.raises(StopError):
        fit(trainer, validate=scripted(*FALLING)[0], on_epoch=stop, **keys)
    resumed = fit(trainer, validate=scripted(*FALLING[3:])[0], **keys)
    assert resumed.history.equals(whole.history)
    assert torch.equal(weights(resumed), weights(whole))


def fitted_with(values: list[float | None], best: int) -> Fitted:
    epochs = list(range(1, len(values) + 1))
    model = fit(replace(TRAINER, max_epochs=1)).model
    return Fitted(
        model, pl.DataFrame({"epoch": epochs, "val/ndcg_at_10": values}), best, Cost(1.0, 0.0, 1)
    )


LATE = (
    "epoch {} of {} is the best by val/ndcg_at_10: training ended while it was still improving; "
    "raise trainer.max_epochs"
)
FIRST = (
    "epoch {}, the first that was validated, is the best of {} by val/ndcg_at_10: further training "
    "did not help; change optimizer.lr or trainer.l2, or raise trainer.patience_steps"
)


@pytest.mark.parametrize(
    ("values", "best", "max_epochs", "falls", "note"),
    [
        ([0.1, 0.3, 0.2], 2, 3, False, None),
        ([0.1, 0.2, 0.3], 3, 3, False, LATE.format(3, 3)),
        ([0.1, 0.2, 0.3], 3, 3, True, None),  # the smallest steps come last
        ([0.1, 0.2, 0.3], 3, 9, False, None),  # stopped by something else than max_epochs
        ([0.1], 1, 1, False, LATE.format(1, 1)),
        ([*[0.1] * 18, 0.3, 0.2], 19, 20, False, LATE.format(19, 20)),  # in the last tenth
        ([*[0.1] * 17, 0.3, 0.2, 0.2], 18, 20, False, None),
        ([0.3, 0.2, 0.1], 1, 9, False, FIRST.format(1, 3)),
        ([None, 0.3, None, 0.2], 2, 9, True, FIRST.format(2, 4)),
    ],
)
def test_notes_on_the_best_epoch_name_keys(
    values: list[float | None], best: int, max_epochs: int, falls: bool, note: str | None
) -> None:
    fitted = fitted_with(values, best)
    notes = list(training_notes(fitted, "val/ndcg_at_10", max_epochs, falls))
    assert notes == ([] if note is None else [note])
