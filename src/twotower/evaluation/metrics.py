"""The metrics by name. Each has RePlay's definition, down to the order in which it adds up.

A metric is a function of the judged lists and K. To add one, write it and name it in METRICS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated

import numpy as np
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from twotower.evaluation.accuracy import (
    average_precision,
    hitrate,
    mrr,
    ndcg,
    precision,
    recall,
)
from twotower.evaluation.beyond_accuracy import coverage, novelty, surprisal
from twotower.evaluation.lists import JudgedLists, Values

__all__ = ["DEFINITION", "METRICS", "CatalogueMetric", "KnownMetric", "UserMetric"]


# Increment when the same lists, or the same scores, give different values than before: runs with
# different numbers are not compared.
DEFINITION = 1


@dataclass(frozen=True)
class UserMetric:
    """A metric with a value per user, of which the mean is reported.

    Attributes:
        of_users: Returns the values [U] at K.
        averaged: Returns the values [N] that the mean is taken over, given those of all users, [U].
    """

    of_users: Callable[[JudgedLists, int], Values]
    averaged: Callable[[JudgedLists, Values], Values]


@dataclass(frozen=True)
class CatalogueMetric:
    """A metric of all lists together; `of_lists` returns its value at K."""

    of_lists: Callable[[JudgedLists, int], float]


def _judged(_lists: JudgedLists, values: Values) -> Values:
    """All users of the holdout."""
    return values


def _recommended_to(lists: JudgedLists, values: Values) -> Values:
    """The users of the holdout who have recommendations."""
    return values[lists.n_recommended > 0]


def _train_users(lists: JudgedLists, values: Values) -> Values:
    """All users of the train part, as RePlay has it: 1 for each who is not in the holdout."""
    full = np.ones(lists.fold.train.n_users)
    full[lists.users.numpy()[lists.known]] = values[lists.known]
    return full


METRICS: dict[str, UserMetric | CatalogueMetric] = {
    "ndcg": UserMetric(ndcg, averaged=_judged),
    "hitrate": UserMetric(hitrate, averaged=_judged),
    "coverage": CatalogueMetric(coverage),
    "recall": UserMetric(recall, averaged=_judged),
    "precision": UserMetric(precision, averaged=_judged),
    "mrr": UserMetric(mrr, averaged=_judged),
    "map": UserMetric(average_precision, averaged=_judged),
    "novelty": UserMetric(novelty, averaged=_train_users),
    "surprisal": UserMetric(surprisal, averaged=_recommended_to),
}


def _known(name: str) -> str:
    if name in METRICS:
        return name
    close = get_close_matches(name, METRICS, n=1)
    raise PydanticCustomError(
        "metric",
        "no metric {name}; valid are {valid}{hint}",
        {
            "name": repr(name),
            "valid": ", ".join(METRICS),
            "hint": f"; did you mean {close[0]!r}?" if close else "",
        },
    )


KnownMetric = Annotated[str, AfterValidator(_known)]
