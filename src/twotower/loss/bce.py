"""Binary cross-entropy on labels: 1 for a positive, 0 for a negative."""

from torch import Tensor
from torch.nn.functional import softplus

from twotower.loss.masking import valid_counts, where_valid
from twotower.types import Scores

__all__ = ["BinaryCrossEntropy"]


class BinaryCrossEntropy:
    """Mean of -log sigmoid(s) over positives and -log(1 - sigmoid(s)) over valid negatives.

    Each score weighs the same, as in `torch.nn.BCEWithLogitsLoss` on the scores put in one row.
    """

    def __call__(self, scores: Scores) -> Tensor:
        positive = softplus(-scores.positive)
        negative = softplus(where_valid(scores.negative, scores, 0.0))
        total = positive.sum() + where_valid(negative, scores, 0.0).sum()
        return total / (positive.numel() + valid_counts(scores).sum())
