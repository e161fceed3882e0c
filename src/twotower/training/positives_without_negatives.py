"""Counts the positives of each epoch that were contrasted with nothing."""

from __future__ import annotations

import logging

import torch
from pytorch_lightning import Trainer
from torch import Tensor

from twotower.core.errors import TrainingError

__all__ = ["PositivesWithoutNegatives"]

logger = logging.getLogger(__name__)

_REMEDY = (
    "set a larger trainer.batch_size if negatives are the positives of other rows, choose a "
    "sampler that draws its own (negative_sampling=uniform), or set exclude_seen=false in "
    "negative_sampling if users have seen every item that can be sampled"
)


class PositivesWithoutNegatives:
    """Counts positives without a valid negative: raises if all lack one, warns if some do.

    Attributes:
        warning: The warning that was logged, at most one per fit; None so far.
    """

    def __init__(self) -> None:
        self.warning: str | None = None
        self._without: list[Tensor] = []
        self._positives = 0  # of the epoch

    def count(self, positives: int, without: Tensor) -> None:
        """Add a batch.

        Args:
            positives: Rows of the batch.
            without: Scalar int64, how many of them had no valid negative.
        """
        self._without.append(without)
        self._positives += positives

    def close_epoch(self, trainer: Trainer) -> None:
        """Check the counts of the epoch, over all processes, and reset them.

        Raises:
            TrainingError: If no positive had a negative.
        """
        without = torch.stack(self._without).sum()
        counts = torch.stack([without, without.new_tensor(self._positives)])
        self._without.clear()
        self._positives = 0
        lacking, positives = trainer.strategy.reduce(counts, reduce_op="sum").tolist()
        epoch = trainer.current_epoch + 1
        if lacking == positives:
            raise TrainingError(
                f"none of the {positives:,} positives of epoch {epoch} had a negative, so the loss "
                f"has nothing to contrast them with; {_REMEDY}"
            )
        if lacking and self.warning is None:
            self.warning = (
                f"{lacking:,} of the {positives:,} positives of epoch {epoch} "
                f"({100 * lacking / positives:.2g}%) had no negative and were not trained on; "
                f"{_REMEDY}"
            )
            if trainer.is_global_zero:
                logger.warning(self.warning)
