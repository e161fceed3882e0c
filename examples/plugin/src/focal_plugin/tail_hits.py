"""The share of hits that are items of the long tail."""

import numpy as np

from twotower.evaluation.lists import JudgedLists, Values
from twotower.evaluation.metric import UserMetric


class TailHits(UserMetric):
    """Share of a user's K items that are relevant and less popular than the median item."""

    name = "tail_hits"

    def per_user(self, lists: JudgedLists, k: int) -> Values:
        """See UserMetric."""
        counts = lists.fold.train.item_counts.numpy()
        rare = np.flatnonzero(counts <= np.median(counts))
        hits = lists.hits[:, :k] & np.isin(lists.items[:, :k].numpy(), rare)
        shares: Values = hits.sum(1) / k
        return shares
