"""Fits in two processes; run by test_two_processes.py, and by Lightning for the second process."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from test_trainer import TRAINER, checkerboard, model_of, weights  # type: ignore[import-not-found]

from twotower.config import build, compose
from twotower.loss import SampledSoftmax
from twotower.negative_sampling import InBatchSampler
from twotower.training import Objective, Trainer
from twotower.types import Scorer

__all__ = ["PER_STEP", "outcome"]

PER_STEP = 16  # rows per optimizer step, of all processes


def outcome(trainer: Trainer, gather: bool, folder: Path | None = None) -> dict[str, object]:
    """Fit with in-batch negatives, in `folder`; return history and item embeddings."""
    fold = checkerboard()
    evaluation = build(compose("train", ["evaluation.k=3"])).evaluation
    loss = SampledSoftmax(temperature=1.0, logq_correction=True)
    sampler = partial(InBatchSampler, True, gather)
    objective = Objective(sampler, loss, partial(torch.optim.Adam, lr=0.05))

    def validate(scorer: Scorer) -> dict[str, float]:
        measured = evaluation.measure(evaluation.recommend(scorer, fold), fold)
        values: dict[str, float] = measured.values
        return values

    fitted = trainer.fit(
        model_of(fold, 0.1),
        fold,
        objective,
        seed=0,
        on_epoch=lambda *_: None,
        validate=validate,
        monitor="ndcg_at_3",
        folder=folder,
    )
    return {"history": fitted.history.to_dicts(), "items": weights(fitted).tolist()}


if __name__ == "__main__":
    both = replace(TRAINER, batch_size=PER_STEP // 2, devices=2, strategy="ddp")
    found = {str(gather): outcome(both, gather) for gather in (True, False)}
    if not torch.distributed.get_rank():
        Path(sys.argv[1]).write_text(json.dumps(found))
