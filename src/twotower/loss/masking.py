"""Negatives that are not valid take no part in a loss, whatever their scores are."""

import torch
from torch import Tensor

from twotower.types import Scores

__all__ = ["item_weights", "mean_of_valid", "row_means", "valid_counts", "where_valid"]


def where_valid(values: Tensor, scores: Scores, other: float) -> Tensor:
    """[B, N] `values` ([B, N]) of valid negatives, `other` elsewhere.

    Scores are replaced before a curved function sees them: a weight of 0 after it would leave
    0 * inf = NaN in the value or the gradient.
    """
    if scores.valid is None:
        return values
    return torch.where(scores.valid, values, other)


def valid_counts(scores: Scores) -> Tensor:
    """[B] int64: number of valid negatives of each row."""
    if scores.valid is None:
        rows, places = scores.negative.shape
        return torch.full((rows,), places, device=scores.negative.device)
    return scores.valid.sum(1)


def mean_of_valid(values: Tensor, scores: Scores) -> Tensor:
    """Scalar: mean of `values` ([B, N]) over all valid negatives; 0 where there are none."""
    return where_valid(values, scores, 0.0).sum() / valid_counts(scores).sum().clamp(min=1)


def row_means(values: Tensor, scores: Scores) -> Tensor:
    """[B] mean of `values` ([B, N]) over each row's valid negatives; 0 where it has none."""
    return where_valid(values, scores, 0.0).sum(1) / valid_counts(scores).clamp(min=1)


def item_weights(scores: Scores) -> Tensor:
    """[B, N] how many items each draw stands for, 1 / expected count; 0 where it is not valid.

    An item that is expected c times comes with c places of weight 1 / c in the mean, so a sum over
    draws with these weights estimates the sum over all items that can be drawn, without bias.
    """
    weights = torch.exp(-scores.log_expected_count).expand_as(scores.negative)
    return where_valid(weights, scores, 0.0)
