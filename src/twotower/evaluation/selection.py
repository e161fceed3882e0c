"""The largest of many scores, with one order among equal ones."""

import torch
from torch import Tensor

__all__ = ["best", "best_of_rows"]

_GROUP = 32  # scores whose maximum is taken first


def best_of_rows(scores: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Return the largest of each row of `scores` and their columns, [B, min(width, n)] each.

    Equal scores are ordered by column, the higher one first. NaN is the largest of all.

    The largest are in the groups of columns with the largest maxima, ordered in the same way: an
    item of another group has as many larger ones as there are such groups. So all scores are read
    once, and few are sorted.

    Args:
        scores: [B, n] float32.
        width: How many of each row.
    """
    n_rows, n = scores.shape
    columns = torch.arange(n, device=scores.device)
    if 2 * width * _GROUP >= n:
        return best(scores, columns.expand(n_rows, n), width)
    whole = n // _GROUP * _GROUP
    groups = scores[:, :whole].view(n_rows, -1, _GROUP)
    highest, numbers = groups.amax(-1), torch.arange(whole // _GROUP, device=scores.device)
    _, chosen = best(highest, numbers.expand_as(highest), width)
    found = (chosen[:, :, None] * _GROUP + columns[:_GROUP]).flatten(1)
    found = torch.cat([found, columns[whole:].expand(n_rows, -1)], 1)  # the rest are few
    return best(scores.gather(1, found), found, width)


def best(scores: Tensor, numbers: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Return the largest of each row of `scores` and their `numbers`, [B, min(width, n)] each.

    Equal scores are ordered by number, the higher one first.

    Args:
        scores: [B, n] float32.
        numbers: [B, n] int64 from 0 to 2**32 - 1, different in each row.
        width: How many of each row.
    """
    # `topk` breaks ties arbitrarily; one more place reveals a tie at the edge.
    values, places = scores.topk(min(width + 1, scores.shape[1]))
    tied = (values[:, 1:] == values[:, :-1]).any(1)
    values, found = values[:, :width], numbers.gather(1, places[:, :width])
    if tied.any():
        keys = _sort_keys(scores[tied], numbers[tied])
        found[tied] = keys.topk(values.shape[1]).values & 0xFFFFFFFF
    return values, found


def _sort_keys(scores: Tensor, numbers: Tensor) -> Tensor:
    """Return distinct int64 keys that sort as (score, number) does; the number is the low half."""
    bits = (scores + 0.0).view(torch.int32)  # -0.0 becomes 0.0
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # IEEE floats sort as such integers
    return (ordered.to(torch.int64) << 32) | numbers
