"""What a metric is: a small class with a name and one method.

A metric of your own subclasses one of the two classes below and is named, in `evaluation.metrics`,
by a node: `{_target_: my_package.MyMetric}`. Its constructor takes the other keys of that node.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from twotower.evaluation.lists import JudgedLists, Values

__all__ = ["CatalogueMetric", "Metric", "UserMetric"]


class UserMetric(ABC):
    """A metric with a value per user; the mean over users is reported, with an interval.

    Attributes:
        name: The metric in logged names, such as `ndcg` in `test/ndcg_at_10`: lower case letters,
            digits and `_`.
        higher_is_better: Whether checkpoints and models may be chosen by it.

    Example:
        >>> class FirstIsRelevant(UserMetric):
        ...     name = "first_is_relevant"
        ...
        ...     def per_user(self, lists, k):
        ...         return lists.hits[:, 0].astype(float)
    """

    name: ClassVar[str]
    higher_is_better: ClassVar[bool] = True

    @abstractmethod
    def per_user(self, lists: JudgedLists, k: int) -> Values:
        """Return the values of all users of the holdout at K.

        Args:
            lists: The recommendations, which may be longer than K.
            k: The length of the lists that are evaluated.

        Returns:
            [U] float64; NaN for a user without a value.
        """

    def averaged(self, lists: JudgedLists, values: Values) -> Values:
        """Return the values that the mean and its interval are taken over: those that are not NaN.

        Args:
            lists: The recommendations.
            values: [U], what `per_user` returned.
        """
        return values[~np.isnan(values)]


class CatalogueMetric(ABC):
    """A metric of all lists together; it has neither values per user nor an interval.

    Attributes:
        name: As of UserMetric.
        higher_is_better: As of UserMetric.
    """

    name: ClassVar[str]
    higher_is_better: ClassVar[bool] = True

    @abstractmethod
    def of_lists(self, lists: JudgedLists, k: int) -> float:
        """Return the value at K; see UserMetric.per_user for the arguments."""


Metric = UserMetric | CatalogueMetric
