"""Estimates of the memory and the time that a run takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from twotower.core.errors import DataError, ResourceError, TwoTowerError
from twotower.core.memory import with_unit
from twotower.diagnosis.examined import Examined
from twotower.diagnosis.findings import Finding
from twotower.model import DotProductScorer, TwoTower
from twotower.running.memory import lowerable, needs_of, require_memory
from twotower.split.fold import make_fold
from twotower.training import Objective
from twotower.types import USER, Fold, TrainInteractions

__all__ = ["resources"]

_FEWER, _MORE = 5, 25  # steps that are timed: their difference leaves out what a fit takes anyway
_RANKED = 128  # users that are ranked
_MOSTLY = 0.5  # share of an epoch that validation may take


def resources(data: Examined) -> Iterator[Finding]:
    """Yield the memory and the time of a run; nothing where it cannot be prepared."""
    if data.buckets > 1:  # neither users nor items are all known
        return
    part, (train, held) = next(iter(data.held.items()))
    split, planned = data.experiment.split, data.experiment
    try:
        fold = make_fold(
            train,
            held,
            train,
            split.drop_cold_users,
            split.drop_cold_items,
            user_features=data.interactions.users,
            item_features=data.interactions.items,
        )
    except DataError:  # which another check has found
        return
    objective = Objective(planned.negative_sampling, planned.loss, planned.optimizer)
    parts = (planned.tower, planned.trainer, objective)
    validates = part == "validation"
    needs = needs_of(*parts, planned.evaluation, fold, validates=validates)
    found = f"training needs about {with_unit(needs.total)}: {needs}"
    try:
        require_memory(needs, lowerable(*parts), planned.memory_gib, planned.trainer.accelerator)
    except ResourceError as error:
        yield Finding("memory", "error", str(error), "A run is refused.", "see above")
        return
    yield Finding("memory", "ok", found)
    yield _time(data, fold, objective, validates=validates)


def _time(data: Examined, fold: Fold, objective: Objective, *, validates: bool) -> Finding:
    planned = data.experiment
    judged = planned.evaluation.validated(fold) if validates else fold
    try:
        step = _seconds_of_a_step(planned, fold, objective)
    except TwoTowerError as error:
        return Finding("time", "warning", f"not known: {error}", "A run may fail in the same way.")
    steps = -(-len(fold.train) // planned.trainer.batch_size)
    training = steps * step
    user = _seconds_of_a_user(data, fold)
    validation = user * len(judged.holdout.users) / planned.trainer.validate_every * validates
    test = user * len(data.held["test"][1][USER].unique())
    found = (
        f"an epoch takes {_clock(training + validation)}: {steps:,} step{'s' * (steps != 1)} in "
        f"{_clock(training)}, validation of {judged.holdout.size} in {_clock(validation)}; ranking "
        f"the test takes {_clock(test)} per model"
    )
    if validation > _MOSTLY * (training + validation) and validation > 1:
        return Finding(
            "time",
            "warning",
            found,
            "Validation takes more of an epoch than training.",
            "trainer.validate_every, evaluation.validation_users",
        )
    return Finding("time", "ok", found)


def _seconds_of_a_step(planned: Any, fold: Fold, objective: Objective) -> float:
    """Return the wall time of a step, from two short fits of models that are thrown away."""
    nothing: dict[str, Any] = {"callbacks": {}, "logger": {}, "ckpt_path": None}
    trainer = replace(planned.trainer, progress_bar=False, keep_checkpoint="none", **nothing)
    took: list[float] = []
    more: int = min(_MORE, -(-len(fold.train) // trainer.batch_size))
    for steps in (_FEWER, more):
        train = _first(fold.train, steps * trainer.batch_size)
        model = TwoTower.build(
            planned.tower, users=fold.users, items=fold.items, seed=planned.seed, train=train
        )
        started = time.perf_counter()
        trainer.fit(
            model,
            replace(fold, train=train),
            objective,
            seed=planned.seed,
            epochs=1,
            on_epoch=lambda *_: None,
        )
        took.append(time.perf_counter() - started)
    if more <= _FEWER:
        return took[1] / more
    return max(took[1] - took[0], 0.0) / (more - _FEWER)


def _first(train: TrainInteractions, n: int) -> TrainInteractions:
    """Return the first `n` interactions, of as many users and items."""
    names = ("users", "items", "timestamps", "turns", "weights")
    cut: dict[str, Any] = {
        name: values[:n] for name in names if (values := getattr(train, name)) is not None
    }
    if "turns" in cut:  # from 0 again
        cut["turns"] = cut["turns"].argsort().argsort().int()
    return replace(train, **cut)


def _seconds_of_a_user(data: Examined, fold: Fold) -> float:
    """Return the wall time of ranking a user by embeddings."""
    planned = data.experiment
    width = (
        TwoTower.build(
            planned.tower,
            users=replace(fold.users, n=1, n_train=1, features=_one(fold.user_features)),
            items=replace(fold.items, n=1, n_train=1, features=_one(fold.item_features)),
            seed=0,
        )
        .item_table()
        .shape[1]
    )
    rows = torch.arange(min(_RANKED, len(fold.holdout.users)))
    some = replace(
        fold.holdout,
        users=rows,
        relevant=fold.holdout.relevant.select(rows),
        seen=fold.holdout.seen.select(rows),
    )
    scorer = DotProductScorer(torch.randn(len(rows), width), torch.randn(fold.items.n, width))
    started = time.perf_counter()
    planned.evaluation.recommend(scorer, replace(fold, holdout=some))
    return (time.perf_counter() - started) / max(len(rows), 1)


def _one(features: Any) -> Any:
    return None if features is None else features.head(1)


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"about {seconds:.1f} s" if seconds >= 0.05 else "under 0.1 s"
    return f"about {seconds / 60:.1f} min" if seconds < 3600 else f"about {seconds / 3600:.1f} h"
