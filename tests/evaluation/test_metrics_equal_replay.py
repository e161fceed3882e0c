from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from judged_folds import (  # type: ignore[import-not-found]
    CLASSES,
    as_dict,
    as_pandas,
    as_polars,
    make_fold,
    recommend,
    replay_values,
)
from replay.metrics import ConfidenceInterval, PerUser
from torch import Tensor

from twotower.evaluation import Evaluation
from twotower.evaluation.metric import Metric
from twotower.types import Fold, Recommendations

N_ITEMS = 9
CUTOFFS = [1, 3, 5]


class Case(NamedTuple):
    recommendations: Recommendations
    fold: Fold


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Up to 12 train users, two cold ones, cold items (rows 9, 10), short and empty lists."""
    item = st.integers(0, N_ITEMS - 1)
    histories = draw(st.lists(st.lists(item, min_size=1, max_size=6), min_size=2, max_size=12))
    cold = [len(histories), len(histories) + 1]
    relevant = draw(
        st.dictionaries(
            st.sampled_from([*range(len(histories)), *cold]),
            st.lists(st.integers(0, N_ITEMS + 1), min_size=1, max_size=8, unique=True),
            min_size=1,
        )
    )
    a_list = st.lists(item, max_size=max(CUTOFFS), unique=True)
    lists = [[] if user in cold else draw(a_list) for user in sorted(relevant)]
    if not any(lists):  # RePlay cannot take an empty frame
        warm = [place for place, user in enumerate(sorted(relevant)) if user not in cold]
        if not warm:
            relevant[0], lists = [0], [[], *lists]
            warm = [0]
        lists[warm[0]] = [draw(item)]
    fold = make_fold(histories, N_ITEMS, relevant)
    return Case(recommend(lists, fold.holdout.users, max(CUTOFFS)), fold)


def evaluation(metrics: list[str], k: int | list[int], confidence: float = 0.95) -> Evaluation:
    listed: list[str | Metric] = [*metrics]
    return Evaluation(k, listed, metrics[0], "best", "all", True, 1000, confidence, None)


@settings(max_examples=100, deadline=None)
@given(case=cases())
def test_equal_to_the_last_bit(case: Case) -> None:
    names = list(CLASSES)
    measured = evaluation(names, CUTOFFS).measure(*case)
    assert measured.values == replay_values(*case, names, CUTOFFS, as_dict)


@settings(max_examples=50, deadline=None)
@given(case=cases())
def test_users_are_equal(case: Case) -> None:
    names = [name for name in CLASSES if name != "coverage"]
    measured = evaluation(names, CUTOFFS).measure(*case)
    expected = replay_values(*case, names, CUTOFFS, as_dict, mode=PerUser())
    for name, by_user in expected.items():
        # RePlay leaves out users without recommendations in surprisal, cold ones in novelty.
        blank = 1.0 if name.startswith("novelty") else 0.0
        users = case.fold.holdout.users.tolist()
        assert measured.per_user[name].to_list() == [by_user.get(user, blank) for user in users]


@settings(max_examples=50, deadline=None)
@given(case=cases(), confidence=st.floats(0.5, 0.999))
def test_intervals_are_equal(case: Case, confidence: float) -> None:
    names = ["ndcg", "novelty"]
    measured = evaluation(names, CUTOFFS, confidence).measure(*case)
    mode = ConfidenceInterval(confidence)
    if len(case.fold.holdout.users) < 2:  # no spread of one user
        assert {name.split("_")[0] for name in measured.intervals} == {"novelty"}
        names = ["novelty"]
    for name, half in replay_values(*case, names, CUTOFFS, as_dict, mode=mode).items():
        middle = measured.values[name]
        assert measured.intervals[name] == pytest.approx((middle - half, middle + half), abs=1e-12)


def test_long_lists_with_many_hits_are_equal() -> None:
    # Sums of many terms, packed hits of several bytes; 35 places, the longest list has 30.
    relevant = {user: list(range(user, 50, 1 + user % 3)) for user in range(40)}
    fold = make_fold([[user % 50] for user in range(40)], 50, relevant)
    lists = [[(7 * place + user) % 50 for place in range(30)] for user in range(40)]
    recommendations = recommend(lists, fold.holdout.users, 35)
    names, cutoffs = list(CLASSES), [7, 20, 35]
    measured = evaluation(names, cutoffs).measure(recommendations, fold)
    assert measured.values == replay_values(recommendations, fold, names, cutoffs, as_pandas)


class Levels:
    """Few different scores, so that ties abound."""

    def __init__(self, n_users: int, n_items: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self.n_users, self.n_items = n_users, n_items
        self.scores = torch.randint(4, (n_users, n_items), generator=generator).float()

    def score_all(self, users: Tensor) -> Tensor:
        return self.scores[users]


def test_ties_are_in_replays_order() -> None:
    histories = [[user % 20, (user + 5) % 20] for user in range(30)]
    fold = make_fold(histories, 20, {user: [(user * 3) % 20, 7] for user in range(30)})
    names = list(CLASSES)
    evaluate = evaluation(names, [1, 5])
    recommendations = evaluate.recommend(Levels(30, 20), fold)
    measured = evaluate.measure(recommendations, fold)
    frames = replay_values(recommendations, fold, names, [1, 5], as_pandas)
    assert measured.values == frames
    # RePlay's Polars path adds up in no fixed order; its coverage at 1 breaks ties by place.
    polars = replay_values(recommendations, fold, names, [1, 5], as_polars)
    assert measured.values == pytest.approx(polars, abs=1e-12)


def test_repeated_interactions_count_once() -> None:
    fold = make_fold([[0, 0, 1], [0], [2]], 3, {0: [2], 1: [1]})
    recommendations = recommend([[2, 0], [0, 1]], fold.holdout.users, 2)
    names = ["coverage", "novelty", "surprisal"]
    measured = evaluation(names, 2).measure(recommendations, fold)
    assert measured.values == replay_values(recommendations, fold, names, [2], as_dict)
