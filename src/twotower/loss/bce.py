"""Binary cross-entropy on labels: 1 for a positive, 0 for a negative."""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from twotower.types import Scores

__all__ = ["BinaryCrossEntropy"]


class BinaryCrossEntropy:
    """Mean of -log sigmoid(s) over positives and -log(1 - sigmoid(s)) over valid negatives.

    Each score weighs the same, as in `torch.nn.BCEWithLogitsLoss` on the scores put in one row.
    """

    def __call__(self, scores: Scores) -> Tensor:
        positive = softplus(-scores.positive)
        negative = softplus(scores.negative)
        count: Tensor | int = negative.numel()
        if scores.valid is not None:
            negative = torch.where(scores.valid, negative, 0.0)
            count = scores.valid.sum()
        return (positive.sum() + negative.sum()) / (positive.numel() + count)
