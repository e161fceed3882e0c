"""Generalised binary cross-entropy: undoes the overconfidence that sampled negatives cause."""

from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn.functional import softplus

from twotower.loss.masking import item_weights, valid_counts, where_valid
from twotower.types import Scores

__all__ = ["GeneralisedBinaryCrossEntropy"]


class GeneralisedBinaryCrossEntropy:
    """gBCE of Petrov & Macdonald 2023 (RecSys, "gSASRec", section 5).

    Mean of -beta log sigmoid(s) over positives and -log(1 - sigmoid(s)) over valid negatives, each
    term of equal weight (as in the loss `bce`), where

        beta = alpha (t (1 - 1/alpha) + 1/alpha) = 1 - t (1 - alpha).

    alpha is the sampling rate: how often, in the mean over all items that may be a negative, an
    item was expected among the negatives. Where the true odds of an interaction are o, the loss is
    least at sigmoid odds of o beta / alpha. So t = 0 is plain binary cross-entropy (odds too high
    by 1/alpha), and t = 1 gives beta = alpha, calibrated probabilities.

    alpha comes from the draw itself. A valid place weighs 1 / expected count, so that the weights
    of a row add up, in the mean, to the number of items that may be its negatives (see
    `item_weights`). Over the whole batch

        alpha = (number of valid places) / (sum of their weights).

    With N uniform negatives from m items each place weighs m / N, and alpha is N / m exactly,
    whichever places are valid (where m differs between rows: N over the mean m). With any other
    sampler it is an estimate whose error falls with the number of places. It passes 1 where more
    places are drawn than there are items; the odds above hold for it all the same.
    """

    def __init__(self, t: Annotated[float, Field(ge=0, le=1)]) -> None:
        self.t = t

    def __call__(self, scores: Scores) -> Tensor:
        places = valid_counts(scores).sum()
        n_items = item_weights(scores).sum()
        # Without a valid negative alpha is 0 by convention: both are 0, and none is sampled.
        alpha = places / n_items.where(places > 0, 1.0)
        beta = 1 - self.t * (1 - alpha)
        positive = beta * softplus(-scores.positive)  # [B]
        negative = softplus(where_valid(scores.negative, scores, 0.0))  # [B, N]
        total = positive.sum() + where_valid(negative, scores, 0.0).sum()
        return total / (positive.numel() + places)
