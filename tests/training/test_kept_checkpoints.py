"""Kept checkpoints: which files a fit saves, and fits that continue from them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging
from test_trainer import (  # type: ignore[import-not-found]
    SCRIPT,
    TRAINER,
    StopError,
    fit,
    scripted,
    scripted_from,
    weights,
)
from torch.optim.lr_scheduler import StepLR

from twotower.core.errors import ConfigError
from twotower.training import CHECKPOINTS, Trainer
from twotower.training.checkpoints import record_of

RECORD = {"settings": {"seed": 0}, "data": "digest"}


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / CHECKPOINTS).glob("*"))


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ("none", []),
        ("best", ["best.ckpt"]),
        ("last", ["last.ckpt"]),
        ("both", ["best.ckpt", "last.ckpt"]),
    ],
)
def test_the_chosen_files_are_kept_with_their_record(
    tmp_path: Path, keep: str, kept: list[str]
) -> None:
    trainer = replace(TRAINER, keep_checkpoint=keep)
    fit(trainer, validate=scripted(*SCRIPT)[0], monitor="ndcg_at_10", files=tmp_path, record=RECORD)
    assert files(tmp_path) == kept
    epochs = {"best.ckpt": 2, "last.ckpt": 5}
    for name in kept:
        assert record_of(tmp_path / CHECKPOINTS / name) == {**RECORD, "epochs": epochs[name]}


@pytest.mark.parametrize("name", ["best", "last"])
@pytest.mark.parametrize(
    "trainer",
    [
        TRAINER,
        replace(TRAINER, scheduler=partial(StepLR, step_size=2, gamma=0.5)),
        replace(TRAINER, callbacks={"ema": EMAWeightAveraging(decay=0.9)}),
    ],
    ids=["constant", "step", "ema"],
)
def test_more_epochs_from_a_checkpoint_are_those_of_one_longer_fit(
    tmp_path: Path, trainer: Trainer, name: str
) -> None:
    keys = {"monitor": "ndcg_at_10", "record": RECORD}
    # Of three epochs the second is the best: from there epoch 3 is trained again.
    short = replace(trainer, max_epochs=3, keep_checkpoint="both")
    fit(short, validate=scripted_from(1), files=tmp_path, **keys)
    start = replace(trainer, ckpt_path=str(tmp_path / CHECKPOINTS / f"{name}.ckpt"))
    epochs: list[int] = []
    more = fit(
        start,
        validate=scripted_from(3 if name == "best" else 4),
        on_epoch=lambda epoch, _: epochs.append(epoch),
        **keys,
    )
    whole = fit(trainer, validate=scripted_from(1), **keys)
    assert epochs == ([3, 4, 5] if name == "best" else [4, 5])
    assert torch.equal(weights(more), weights(whole))
    assert more.history.equals(whole.history)
    assert (more.best_epoch, more.cost.positives) == (2, whole.cost.positives)


def test_a_fit_that_stopped_early_continues_with_more_patience(tmp_path: Path) -> None:
    keys = {"monitor": "ndcg_at_10", "record": RECORD}
    short = replace(TRAINER, patience=1, keep_checkpoint="last")
    assert fit(short, validate=scripted_from(1), files=tmp_path, **keys).history.height == 3
    start = replace(TRAINER, patience=3, ckpt_path=str(tmp_path / CHECKPOINTS / "last.ckpt"))
    more = fit(start, validate=scripted_from(4), **keys)
    whole = fit(replace(TRAINER, patience=3), validate=scripted_from(1), **keys)
    assert more.history.equals(whole.history)
    assert more.history.height == 5


def test_an_interrupted_fit_resumes_from_its_own_state_and_keeps_the_same_files(
    tmp_path: Path,
) -> None:
    def stop(epoch: int, _: object) -> None:
        if epoch == 4:
            raise StopError

    both = replace(TRAINER, keep_checkpoint="both")
    keys = {"monitor": "ndcg_at_10", "record": RECORD, "files": tmp_path / "a"}
    with pytest.raises(StopError):
        fit(both, validate=scripted_from(1), on_epoch=stop, folder=tmp_path / "state", **keys)
    fit(both, validate=scripted_from(4), folder=tmp_path / "state", **keys)
    fit(both, validate=scripted_from(1), **{**keys, "files": tmp_path / "b"})
    for name in ("best.ckpt", "last.ckpt"):
        resumed, whole = (
            torch.load(tmp_path / part / CHECKPOINTS / name, weights_only=True)["state_dict"]
            for part in ("a", "b")
        )
        assert all(torch.equal(resumed[key], whole[key]) for key in whole)


def test_a_refit_neither_keeps_checkpoints_nor_continues_from_one(tmp_path: Path) -> None:
    trainer = replace(TRAINER, keep_checkpoint="both", ckpt_path=str(tmp_path / "absent.ckpt"))
    assert fit(trainer, files=tmp_path, epochs=2).history.height == 2
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            None,
            "which does not exist; must be a file that a run saved with trainer.keep_checkpoint",
        ),
        (b"text", "which cannot be read; must be a file"),
        ({"state_dict": {}}, "which cannot be read; must be a file"),
    ],
)
def test_another_file_is_an_error_that_names_the_key(
    tmp_path: Path, content: object, message: str
) -> None:
    path = tmp_path / "some.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(ConfigError) as caught:
        record_of(path)
    assert str(caught.value).startswith(f"trainer.ckpt_path: got {str(path)!r}, {message}")
