"""The focal loss."""

from pydantic import NonNegativeFloat
from torch import Tensor
from torch.nn.functional import logsigmoid

from twotower.core.component import component
from twotower.loss.masking import valid_counts, where_valid
from twotower.types import Scores


@component
class Focal:
    """Binary cross-entropy in which pairs that the model already gets right count less.

    Lin et al. 2017 (ICCV, "Focal loss for dense object detection").
    """

    def __init__(self, gamma: NonNegativeFloat) -> None:
        self.gamma = gamma

    def __call__(self, scores: Scores) -> Tensor:
        """See twotower.loss.base.Loss."""
        positive = self._focal(scores.positive)
        negative = self._focal(-where_valid(scores.negative, scores, 0.0))
        total = positive.sum() + where_valid(negative, scores, 0.0).sum()
        return total / (positive.numel() + valid_counts(scores).sum())

    def _focal(self, logits: Tensor) -> Tensor:
        log_p = logsigmoid(logits)
        return -((1 - log_p.exp()) ** self.gamma) * log_p
