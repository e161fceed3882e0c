"""Training: every interaction once an epoch, the best epoch kept, the same bits for one seed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from pytorch_lightning.profilers import PassThroughProfiler

from twotower.core.errors import ConfigError, TrainingError
from twotower.evaluation.ranking import top_k
from twotower.loss import BinaryCrossEntropy, DirectAU
from twotower.model import TwoTower
from twotower.negative_sampling import (
    CrossBatchSampler,
    HardSampler,
    InBatchSampler,
    MixedSampler,
    SharedSampler,
    UniformSampler,
)
from twotower.tower import EmbeddingTower
from twotower.training import Fitted, Objective, Trainer
from twotower.training.batches import Batch, Batches
from twotower.training.scheduler.none import ConstantRate
from twotower.types import Fold, Holdout, ItemLists, Scorer, TrainInteractions, Vocabulary

TRAINER = Trainer(
    max_epochs=5,
    batch_size=8,
    l2=0.0,
    validate_every=1,
    half_life=None,
    scheduler=ConstantRate(),
    patience=None,
    patience_steps=0,
    refit=False,
    accelerator="cpu",
    devices=1,
    strategy="auto",
    threads="auto",
    precision="32-true",
    kernel="auto",
    steps_per_call=3,
    checkpoint_seconds=0.0,
    progress_bar=False,
    keep_checkpoint="none",
    ckpt_path=None,
    callbacks={},
    logger={},
    profiler=PassThroughProfiler,
    lightning={},
)
OBJECTIVE = Objective(
    partial(UniformSampler, 3, True), BinaryCrossEntropy(), partial(torch.optim.Adam, lr=0.05)
)


def checkerboard(n: int = 12) -> Fold:
    """User u likes the items of its own parity, and one of them, item u, is withheld."""
    pairs = [(u, i) for u in range(n) for i in range(n) if (u + i) % 2 == 0 and u != i]
    users, items = torch.tensor(pairs).T
    everyone = torch.arange(n)
    train = TrainInteractions(users, items, n, n)
    ids = pl.Series(range(n))
    return Fold(
        Vocabulary(ids, ids),
        train,
        Holdout(everyone, ItemLists.from_pairs(everyone, everyone, n), train.items_by_user),
        train.histories,
    )


def model_of(fold: Fold, init_std: float, seed: int = 0) -> TwoTower:
    tower = partial(EmbeddingTower, 4, init_std, "dot", False)
    return TwoTower.build(tower, users=fold.users, items=fold.items, seed=seed)


def fit(trainer: Trainer = TRAINER, seed: int = 0, **changes: object) -> Fitted:
    fold = checkerboard()
    model = model_of(fold, 0.1, seed)
    keys: dict[str, object] = {"seed": seed, "on_epoch": lambda *_: None}
    return trainer.fit(model, fold, OBJECTIVE, **keys | changes)  # type: ignore[arg-type]


def weights(fitted: Fitted) -> torch.Tensor:
    return fitted.model.item_tower.table().detach()  # type: ignore[operator,no-any-return]


def test_the_withheld_diagonal_of_a_checkerboard_is_recommended() -> None:
    fold = checkerboard()
    fitted = fit(replace(TRAINER, max_epochs=40))
    best = top_k(
        fitted.model.scorer(fold.histories),
        fold.holdout.users,
        k=1,
        drop=fold.holdout.seen,
        block_scores=1000,
    )
    assert best.items.flatten().tolist() == list(range(12))


def test_validation_may_come_every_few_epochs() -> None:
    # Validated are epochs 2, 4, 6 and 8; 4 is the best, and two that are no better come after it.
    validate, shown = scripted(0.1, 0.4, 0.2, 0.3, 0.9)
    trainer = replace(TRAINER, max_epochs=20, patience=2, validate_every=2)
    fitted = fit(trainer, validate=validate, monitor="ndcg_at_10")
    assert fitted.best_epoch == 4
    assert fitted.history["epoch"].to_list() == list(range(1, 9))
    values = [None, 0.1, None, 0.4, None, 0.2, None, 0.3]
    assert fitted.history["val/ndcg_at_10"].to_list() == [
        value if value is None else pytest.approx(value) for value in values
    ]
    assert fitted.history["train/loss"].null_count() == 0
    assert fitted.kept["val/ndcg_at_10"] == pytest.approx(0.4)
    everybody = torch.arange(12)
    scorer = fitted.model.scorer(checkerboard().histories)
    assert torch.equal(scorer.score_all(everybody), shown[1])


def test_every_interaction_is_seen_once_an_epoch_in_an_order_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[list[tuple[int, int]]] = []
    drawn: list[torch.Tensor] = []
    original = Batches.__iter__

    def spy(self: Batches):  # type: ignore[no-untyped-def]
        epoch: list[tuple[int, int]] = []
        seen.append(epoch)
        for batch in original(self):
            assert isinstance(batch, Batch)
            epoch += list(zip(batch.users.tolist(), batch.positives.tolist(), strict=True))
            drawn.append(batch.negatives.items)
            yield batch

    monkeypatch.setattr(Batches, "__iter__", spy)
    fit(replace(TRAINER, max_epochs=2, kernel="autograd"))
    train = checkerboard().train
    everything = sorted(zip(train.users.tolist(), train.items.tolist(), strict=True))
    first, second = seen
    assert sorted(first) == sorted(second) == everything
    assert first != second
    assert not torch.equal(drawn[0], drawn[len(drawn) // 2])


def test_one_seed_gives_the_same_bits_and_another_one_others() -> None:
    one, same, other = fit(seed=1), fit(seed=1), fit(seed=2)
    assert torch.equal(weights(one), weights(same))
    assert one.history.equals(same.history)
    assert not torch.equal(weights(one), weights(other))


def scripted(*values: float):  # type: ignore[no-untyped-def]
    """A validation that returns `values` in turn, whatever the model, and records its calls."""
    shown: list[torch.Tensor] = []
    message = iter(values)

    def validate(scorer: Scorer) -> dict[str, float]:
        shown.append(scorer.score_all(torch.arange(12)).clone())
        return {"ndcg_at_10": next(message)}

    return validate, shown


def test_the_best_epoch_is_kept_and_training_stops_after_patience() -> None:
    # Best in epoch 2; epochs 3 and 4 are no better, so patience 2 stops after epoch 4 of 9.
    validate, shown = scripted(0.1, 0.3, 0.2, 0.3, 0.9, 0.9, 0.9, 0.9, 0.9)
    trainer = replace(TRAINER, max_epochs=9, patience=2)
    epochs: list[int] = []
    fitted = fit(
        trainer,
        validate=validate,
        monitor="ndcg_at_10",
        on_epoch=lambda epoch, _: epochs.append(epoch),
    )
    assert fitted.best_epoch == 2
    assert epochs == fitted.history["epoch"].to_list() == [1, 2, 3, 4]
    assert fitted.history["val/ndcg_at_10"].to_list() == pytest.approx([0.1, 0.3, 0.2, 0.3])
    assert set(fitted.history.columns) == {"epoch", "train/loss", "val/loss", "val/ndcg_at_10"}
    assert fitted.kept["val/ndcg_at_10"] == pytest.approx(0.3)
    assert torch.equal(
        fitted.model.scorer(checkerboard().histories).score_all(torch.arange(12)), shown[1]
    )


def test_the_best_epoch_is_the_one_whose_weights_are_kept() -> None:
    # 0.3 and 0.3 + 1e-12 are one number in float32, by which Lightning compares: the earlier stays.
    validate, shown = scripted(0.1, 0.3, 0.3 + 1e-12)
    fitted = fit(replace(TRAINER, max_epochs=3), validate=validate, monitor="ndcg_at_10")
    kept = fitted.model.scorer(checkerboard().histories).score_all(torch.arange(12))
    assert torch.equal(kept, shown[fitted.best_epoch - 1])
    assert fitted.best_epoch == 2


def test_watching_validation_does_not_change_training() -> None:
    validate, _ = scripted(*[0.1] * 5)
    watched = fit(validate=validate, monitor="ndcg_at_10")
    assert watched.history["train/loss"].equals(fit().history["train/loss"])


def test_validation_loss_uses_the_same_negatives_in_each_epoch() -> None:
    validate, _ = scripted(*[0.1] * 3)
    still = Objective(OBJECTIVE.sampler, OBJECTIVE.loss, partial(torch.optim.Adam, lr=1e-30))
    fold = checkerboard()
    model = model_of(checkerboard(), 0.1)
    fitted = replace(TRAINER, max_epochs=3).fit(
        model,
        fold,
        still,
        seed=0,
        on_epoch=lambda *_: None,
        validate=validate,
        monitor="ndcg_at_10",
    )
    assert (
        fitted.history["val/loss"].n_unique() == 1
    )  # the model does not change, and neither do they


def test_without_validation_the_last_epoch_is_kept_and_epochs_replaces_max_epochs() -> None:
    fitted = fit(epochs=3)
    assert fitted.best_epoch == 3
    assert fitted.history.columns == ["epoch", "train/loss"]
    assert fitted.history.height == 3


def test_l2_shrinks_the_embeddings() -> None:
    assert weights(fit(replace(TRAINER, l2=1.0))).norm() < 0.5 * weights(fit()).norm()


def test_a_loss_that_is_not_finite_stops_training() -> None:
    model = model_of(checkerboard(), 1e38)
    message = (
        r"the training loss is (nan|inf) in epoch 1: training has diverged; lower optimizer.lr"
    )
    with pytest.raises(TrainingError, match=message):
        TRAINER.fit(model, checkerboard(), OBJECTIVE, seed=0, on_epoch=lambda *_: None)


class StopError(Exception):
    """Breaks a fit off."""


def broken_off(at: int, **keys: object) -> None:
    """A fit that breaks off at the end of epoch `at`, before that epoch's checkpoint."""

    def stop(epoch: int, _: object) -> None:
        if epoch == at:
            raise StopError

    with pytest.raises(StopError):
        fit(on_epoch=stop, **keys)  # type: ignore[arg-type]


# Epoch 2 of 5 is the best, and with a patience of 2 the fourth is the last.
SCRIPT = (0.1, 0.5, 0.4, 0.3, 0.2)


def scripted_from(epoch: int):  # type: ignore[no-untyped-def]
    """The validation of a fit that is resumed in `epoch`."""
    return scripted(*SCRIPT[epoch - 1 :])[0]


@pytest.mark.parametrize("patience", [None, 2])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_an_interrupted_fit_resumes_bit_identically(
    tmp_path: Path, at: int, patience: int | None
) -> None:
    trainer = replace(TRAINER, patience=patience)
    selecting = {"trainer": trainer, "monitor": "ndcg_at_10"}
    whole = fit(**selecting, validate=scripted_from(1))  # type: ignore[arg-type]
    broken_off(at, **selecting, folder=tmp_path, validate=scripted_from(1))
    # Epoch `at` had no checkpoint yet: it is trained again.
    epochs: list[int] = []
    resumed = fit(
        trainer,
        monitor="ndcg_at_10",
        folder=tmp_path,
        validate=scripted_from(at),
        on_epoch=lambda epoch, _: epochs.append(epoch),
    )
    assert epochs == list(range(at, (5 if patience is None else 4) + 1))
    assert torch.equal(weights(resumed), weights(whole))
    assert resumed.history.equals(whole.history)
    assert resumed.best_epoch == whole.best_epoch == 2


def test_a_fit_that_stopped_early_does_not_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: dict[str, object] = {
        "trainer": replace(TRAINER, patience=2),
        "monitor": "ndcg_at_10",
        "folder": tmp_path,
    }

    def killed(*_: object) -> None:
        raise StopError

    # Killed after the last checkpoint, before the end is noted.
    save = Fitted.save
    monkeypatch.setattr(Fitted, "save", killed)
    with pytest.raises(StopError):
        fit(**keys, validate=scripted_from(1))  # type: ignore[arg-type]
    monkeypatch.setattr(Fitted, "save", save)
    resumed = fit(**keys, validate=scripted_from(5))  # type: ignore[arg-type]
    assert (resumed.history.height, resumed.best_epoch) == (4, 2)


def test_a_finished_fit_is_returned(tmp_path: Path) -> None:
    whole = fit(folder=tmp_path)
    again = fit(folder=tmp_path, on_epoch=lambda *_: pytest.fail("it is trained again"))
    assert torch.equal(weights(again), weights(whole))
    assert again.history.equals(whole.history)
    assert (again.best_epoch, again.seconds) == (whole.best_epoch, whole.seconds)


# --- positives without negatives


def contrasted(
    sampler: Any, loss: Any = None, batch_size: int = 60, fold: Fold | None = None
) -> Fitted:
    objective = Objective(sampler, loss or BinaryCrossEntropy(), OBJECTIVE.optimizer)
    fold = fold or checkerboard()
    trainer = replace(TRAINER, batch_size=batch_size)
    return trainer.fit(model_of(fold, 0.1), fold, objective, seed=0, on_epoch=lambda *_: None)


def test_positives_without_negatives_are_counted_and_warned_about_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("WARNING", logger="twotower"):
        # 60 pairs: the last batch has one row
        fitted = contrasted(partial(InBatchSampler, False, False), batch_size=59)
        (warning,) = fitted.warnings
        assert [record.getMessage() for record in caplog.records] == [warning]
        assert warning.startswith(
            "1 of the 60 positives of epoch 1 (1.7%) had no negative and were not trained on; "
            "set a larger trainer.batch_size"
        )
        caplog.clear()
        assert contrasted(partial(InBatchSampler, False, False), batch_size=30).warnings == ()
        assert caplog.text == ""


def all_seen() -> Fold:
    """Three users with all of three items."""
    users, items = torch.arange(9) // 3, torch.arange(9) % 3
    train = TrainInteractions(users, items, 3, 3)
    return replace(checkerboard(), train=train, histories=train.histories)


@pytest.mark.parametrize(
    "sampler",
    [
        partial(UniformSampler, 2, True),
        partial(InBatchSampler, True, False),
        partial(HardSampler, 1, False, partial(UniformSampler, 2, True)),
    ],
)
def test_a_fit_in_which_no_positive_has_a_negative_is_an_error(sampler: Any) -> None:
    with pytest.raises(TrainingError, match=r"none of the 9 positives of epoch 1 had a negative"):
        contrasted(sampler, fold=all_seen())


def test_one_row_at_a_time_needs_a_sampler_that_draws_for_itself() -> None:
    pool = partial(SharedSampler, 2, 0.0, False)
    batch = partial(InBatchSampler, False, False)
    for refused in (
        batch,
        partial(CrossBatchSampler, 1, False),
        partial(MixedSampler, {"a": batch, "b": batch}),
        partial(HardSampler, 1, False, batch),
    ):
        with pytest.raises(ConfigError, match=r"trainer\.batch_size: got 1, but the negatives"):
            contrasted(refused, batch_size=1)
    for sampler in (pool, partial(CrossBatchSampler, 2, False), partial(MixedSampler, {"a": pool})):
        contrasted(sampler, batch_size=1)


def test_a_loss_that_needs_no_negatives_is_fine_without(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", logger="twotower"):
        contrasted(partial(InBatchSampler, True, False), DirectAU(1.0, 2.0), batch_size=1)
        contrasted(partial(UniformSampler, 2, True), DirectAU(1.0, 2.0), fold=all_seen())
    assert caplog.text == ""
