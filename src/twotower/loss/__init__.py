"""Losses: functions of a batch's scores, which know no sampler and no tower."""

from twotower.loss.base import Loss
from twotower.loss.bce import BinaryCrossEntropy

__all__ = ["BinaryCrossEntropy", "Loss"]
