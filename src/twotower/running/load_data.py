"""The data of a run: read, filtered and split, in memory or streamed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from twotower.dataset import Dataset, Streamable
from twotower.dataset.time_range import report_times
from twotower.evaluation import Evaluation
from twotower.evaluation.repeats import repeat_note
from twotower.preprocessing.preprocessing import Preprocessing
from twotower.running.rules import needs_whole_log
from twotower.split.base import Split
from twotower.split.prepare import prepare
from twotower.split.streaming.prepare import prepare_streamed
from twotower.training import Trainer
from twotower.types import Interactions, LogStream, SplitFrames

__all__ = ["load_data"]

logger = logging.getLogger(__name__)


def load_data(
    dataset: Dataset,
    preprocessing: Preprocessing,
    split: Split,
    trainer: Trainer,
    evaluation: Evaluation,
    cache: Path,
    nodes: Mapping[str, Any],
) -> tuple[Interactions, SplitFrames]:
    """Return the dataset, without its log, and its parts.

    Args:
        dataset: What is read, or streamed.
        preprocessing: Filters the log.
        split: Cuts it.
        trainer: May need the log as a whole.
        evaluation: Of the parts, whose features it may group by.
        cache: Folder of prepared parts.
        nodes: The config of `preprocessing` and `split`, part of the key of the cache.

    Raises:
        ConfigError: The evaluation groups by a feature that the dataset lacks.
        DataError: The data cannot be read or split.
    """
    log = _stream(dataset, preprocessing, split, trainer)
    frames: SplitFrames
    if log is not None:
        logger.info("data: %s, %s interactions, streamed", log.origin, f"{log.n_rows:,}")
        frames = prepare_streamed(log, preprocessing, split, cache, nodes)
        interactions = Interactions(
            frames.train, log.users, log.items, None, log.origin, log.digest
        )
    else:
        interactions = replace(dataset.load())  # of our own: its log is taken
        logger.info("data: %s", interactions.origin)
        report_times(interactions)
        frames = prepare(interactions, preprocessing, split, cache, nodes, takes_log=True)
    evaluation.check_features(frames.users, frames.items)
    for part in ("validation", "test"):
        if note := repeat_note(frames, part, evaluation):
            logger.log(logging.WARNING if evaluation.drop_seen else logging.INFO, note)
    return interactions, frames


def _stream(
    dataset: Dataset, preprocessing: Preprocessing, split: Split, trainer: Trainer
) -> LogStream | None:
    """Return the log if it is to be streamed."""
    log = dataset.stream() if isinstance(dataset, Streamable) else None
    if log is None:
        return None
    # Only dataset.streaming=auto comes here with errors: true is refused with them.
    for error in needs_whole_log(preprocessing, split, trainer):
        logger.warning(
            "dataset.streaming=auto: %s rows are read into memory, not streamed: %s",
            *(f"{log.n_rows:,}", error),
        )
        return None
    return log
