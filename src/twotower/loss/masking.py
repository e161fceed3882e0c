"""Keep negatives that are not valid out of a loss, whatever their scores."""

import torch
from torch import Tensor

from twotower.types import MaskedScores, Scores

__all__ = ["item_weights", "mean_of_rows", "mean_of_valid", "row_means", "valid_counts"]
__all__ += ["weigh_rows_", "weighted", "where_valid"]


def where_valid(values: Tensor, scores: Scores, other: float) -> Tensor:
    """Return `values` [B, N] with those of negatives that are not valid replaced by `other`.

    Replace scores before a nonlinear function, not after: a weight of 0 after it would leave
    0 * inf = NaN in the value or the gradient.
    """
    if scores.valid is None:
        return values
    return torch.where(scores.valid, values, other)


def valid_counts(scores: Scores) -> Tensor:
    """Return the number of valid negatives of each row, [B] int64."""
    if scores.valid is None:
        rows, places = scores.negative.shape
        return torch.full((rows,), places, device=scores.negative.device)
    return scores.valid.sum(1)


def mean_of_valid(values: Tensor, scores: Scores) -> Tensor:
    """Return the mean of `values` [B, N] over all valid negatives, a scalar; 0 if none is valid.

    Each row counts by its weight.
    """
    total = weighted(where_valid(values, scores, 0.0), scores).sum()
    return total / valid_counts(scores).sum().clamp(min=1)


def mean_of_rows(values: Tensor, scores: Scores) -> Tensor:
    """Return the mean of `values` [B] over rows, each multiplied by its weight: a scalar."""
    return weighted(values, scores).mean()


def weighted(values: Tensor, scores: Scores | MaskedScores) -> Tensor:
    """Return `values` ([B] or [B, N]) multiplied by the weights of their rows.

    A row of weight 2 has the gradient of two rows. Weights are 1 on average over the train part, so
    that sums of them need no division: a mean over the batch stays an unbiased estimate.
    """
    if scores.weights is None:
        return values
    weights = scores.weights.to(values.dtype)
    return values * (weights if values.dim() == 1 else weights[:, None])


def row_means(values: Tensor, scores: Scores) -> Tensor:
    """Return the mean [B] of `values` [B, N] over each row's valid negatives; 0 if it has none."""
    return where_valid(values, scores, 0.0).sum(1) / valid_counts(scores).clamp(min=1)


def item_weights(scores: Scores) -> Tensor:
    """Return how many items each negative represents, 1 / expected count; 0 if it is not valid.

    An item expected c times gets, in expectation, c places of weight 1 / c. So a sum over the
    sample with these weights is an unbiased estimate of the sum over all items that can be sampled.

    Returns:
        [B, N] float.
    """
    weights = torch.exp(-scores.log_expected_count).expand_as(scores.negative)
    return where_valid(weights, scores, 0.0)


def weigh_rows_(gradient: Tensor, scores: MaskedScores, scale: float | Tensor) -> Tensor:
    """Multiply a gradient ([B] or [B, N]) by `scale` (a number, or [B]) and the rows' weights."""
    if scores.weights is not None:
        scale = scores.weights.to(gradient.dtype) * scale
    if isinstance(scale, Tensor) and scale.dim() and gradient.dim() == 2:
        scale = scale[:, None]
    return gradient.mul_(scale)
