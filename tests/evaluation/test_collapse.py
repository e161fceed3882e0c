"""A collapsed model is distinguished from a healthy one."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from judged_folds import make_fold, recommend  # type: ignore[import-not-found]
from torch import Tensor

from twotower.baselines import Popularity, Random
from twotower.config import build, compose
from twotower.evaluation import Evaluation
from twotower.evaluation.collapse import Alikeness, alikeness, collapse_notes, effective_rank
from twotower.model import DotProductScorer
from twotower.types import Fold, Scorer


def evaluation(*overrides: str) -> Evaluation:
    made: Evaluation = build(compose("train", overrides)["evaluation"])
    return made


def random_fold(n_users: int = 60, n_items: int = 100, n_seen: int = 12) -> Fold:
    """Users with `n_seen` items each, low numbers far more often than high ones."""
    generator = torch.Generator().manual_seed(0)
    weights = 1 / torch.arange(1.0, n_items + 1)
    histories = [
        torch.multinomial(weights, n_seen, generator=generator).tolist() for _ in range(n_users)
    ]
    fold: Fold = make_fold(histories, n_items, {user: [n_items - 1] for user in range(n_users)})
    return fold


def notes(scorer: Scorer, fold: Fold, judge: Evaluation, **tables: Tensor) -> list[str]:
    return collapse_notes(judge.recommend(scorer, fold), fold, judge, tables)


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


# --- lists

# Users have seen 0 / 3 / 1, 2 of four items: 3, 3 and 2 are left, of which lists hold two. A list
# drawn at random shares 2/3, 2/3 and 2/2 with any other of the user: 7/9 on average.
THREE = make_fold([[0], [3], [1, 2]], 4, {0: [1], 1: [0], 2: [0]})


@pytest.mark.parametrize(
    ("lists", "shared", "value"),
    [
        # One ranking, 3 2 1 0, without what each has seen.
        ([[3, 2], [2, 1], [3, 0]], 1, 1),
        # Of two users who could get it each, 0 and 2 came to both, 1 and 3 to one: the common
        # lists are 2 3 / 2 0 / 0 3. Shared are 1/2, 2/2 and 2/2, 5/6 on average; beyond chance
        # 5/6 - 7/9 = 1/18 of 2/9.
        ([[1, 2], [0, 2], [0, 3]], 5 / 6, 1 / 4),
    ],
)
def test_alikeness_by_hand(lists: list[list[int]], shared: float, value: float) -> None:
    recommendations = recommend(lists, torch.arange(3), k=2)
    alike = alikeness(recommendations, THREE, evaluation("evaluation.k=2"))
    assert alike.shared == pytest.approx(shared)
    assert alike.by_chance == pytest.approx(7 / 9)
    assert alike.value == pytest.approx(value)
    assert alike.n_lists == 3


def test_seen_items_that_may_be_recommended_are_candidates() -> None:
    # Both lists of everybody could hold all four: 2/4 by chance.
    recommendations = recommend([[3, 2], [3, 2], [3, 0]], torch.arange(3), k=2)
    judge = evaluation("evaluation.k=2", "evaluation.drop_seen=false")
    alike = alikeness(recommendations, THREE, judge)
    # 3 came to all, 2 to two of three: the common list is 3 2; shared are 1, 1 and 1/2.
    assert alike.by_chance == pytest.approx(1 / 2)
    assert alike.shared == pytest.approx(5 / 6)


def test_cold_users_and_empty_lists_do_not_count() -> None:
    fold = make_fold([[0], [1], [0, 1, 2]], 3, {0: [1], 1: [0], 2: [0], 3: [0]})
    judge = evaluation("evaluation.k=1")
    alike = alikeness(recommend([[2], [2], [], []], torch.arange(4), k=1), fold, judge)
    assert alike == Alikeness(shared=1.0, by_chance=0.5, n_lists=2)
    nobody = alikeness(recommend([[], [], [], []], torch.arange(4), k=1), fold, judge)
    assert nobody.n_lists == 0


def test_lists_that_hold_all_candidates_are_not_alike() -> None:
    fold = random_fold(n_items=20, n_seen=10)
    judge = evaluation()
    lists = judge.recommend(Popularity().fit(fold.train), fold)
    assert alikeness(lists, fold, judge).shared == 1
    assert alikeness(lists, fold, judge).value == 0


@pytest.mark.parametrize("drop_seen", [True, False])
@pytest.mark.parametrize("k", ["10", "[5,20]"])
def test_popularity_is_one_list_for_all(drop_seen: bool, k: str) -> None:
    fold = random_fold()
    judge = evaluation(f"evaluation.drop_seen={drop_seen}", f"evaluation.k={k}")
    (note,) = notes(Popularity().fit(fold.train), fold, judge)
    assert note.startswith("every user gets nearly the same list: one ranking for all explains ")
    assert notes(Random(seed=0).fit(fold.train), fold, judge) == []


def test_the_note_reports_both_shares() -> None:
    fold = random_fold()
    judge = evaluation("evaluation.drop_seen=false")
    # One list of 10 of 100 items for all.
    assert notes(Popularity().fit(fold.train), fold, judge) == [
        "every user gets nearly the same list: one ranking for all explains 100% of what is "
        "recommended (by chance it would be 10%); train longer (trainer.max_epochs, "
        "trainer.patience_steps), lower trainer.l2, or draw popular items as negatives more often "
        "(negative_sampling=popularity)"
    ]


def test_few_users_are_not_judged_by_their_lists() -> None:
    for n_users, expected in ((9, 0), (10, 1)):
        fold = random_fold(n_users)
        assert len(notes(Popularity().fit(fold.train), fold, evaluation())) == expected


# --- embeddings


@pytest.mark.parametrize(
    ("table", "rank"),
    [
        ([[1.0, 0.0], [0.0, 1.0]], 2.0),
        ([[1.0, 2.0], [2.0, 4.0], [-3.0, -6.0]], 1.0),
        # Singular values 3 and 1, shares 3/4 and 1/4: exp(3/4 ln 4/3 + 1/4 ln 4) = 4 / 3^(3/4).
        ([[3.0, 0.0], [0.0, 1.0], [0.0, 0.0]], 4 / 3**0.75),
        ([[0.0, 0.0], [0.0, 0.0]], 0.0),
    ],
)
def test_effective_rank_by_hand(table: list[list[float]], rank: float) -> None:
    assert effective_rank(torch.tensor(table)) == pytest.approx(rank, abs=1e-6)


def test_effective_rank_of_what_is_not_finite_is_unknown() -> None:
    for bad in (math.nan, math.inf):
        assert math.isnan(effective_rank(torch.tensor([[1.0, bad], [1.0, 2.0]])))


@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 10_000), st.floats(1e-3, 1e3))
def test_effective_rank_is_that_of_the_singular_values_at_any_scale(
    n: int, dim: int, seed: int, scale: float
) -> None:
    table = torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))
    values = torch.linalg.svdvals(table.double())
    shares = values / values.sum()
    expected = math.exp(-sum(share * math.log(share) for share in shares.tolist() if share > 0))
    assert effective_rank(table * scale) == pytest.approx(expected, rel=1e-4)
    assert effective_rank(table.flip(1)) == pytest.approx(expected, rel=1e-4)
    assert 1 - 1e-9 <= expected <= min(n, dim) + 1e-9


def test_a_healthy_random_model_has_no_notes() -> None:
    fold = random_fold()
    users, items = normal(60, 16), normal(100, 16)
    assert notes(DotProductScorer(users, items), fold, evaluation(), user=users, item=items) == []


def test_popularity_in_the_embeddings_is_both() -> None:
    fold = random_fold()
    # All items along one line, by their popularity, with a little noise; all users on its side.
    line = normal(16)
    items = fold.train.item_counts[:, None] * line + 0.01 * normal(100, 16)
    users = line + 0.1 * normal(60, 16)
    alike, of_items = notes(
        DotProductScorer(users, items), fold, evaluation(), user=users, item=items
    )
    assert alike.startswith("every user gets nearly the same list")
    rank = effective_rank(items)
    assert rank < 1.2
    assert of_items == (
        f"the item embeddings have an effective rank of {rank:.1f} of 16: "
        "one direction decides nearly all scores; train longer (trainer.max_epochs, "
        "trainer.patience_steps), lower trainer.l2, or change tower.init_std"
    )


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_few_dimensions_are_no_collapse(dim: int) -> None:
    fold = random_fold()
    tables: dict[str, Any] = {"item": normal(100, dim)}
    assert notes(Random(seed=0).fit(fold.train), fold, evaluation(), **tables) == []
