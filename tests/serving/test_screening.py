"""One user's list by screening is that of the ranking, to the last bit."""

from __future__ import annotations

import polars as pl
import pytest
import torch

from twotower import config as conf
from twotower.model import DotProductScorer, TwoTower
from twotower.serving.lists import best
from twotower.serving.recommender import Recommender
from twotower.serving.screening import best_of_one
from twotower.types import Histories, Recommendations, Side, Vocabulary


def both(
    scorer: DotProductScorer, user: int, k: int, allowed: torch.Tensor | None = None
) -> tuple[Recommendations | None, Recommendations]:
    """Return the list by screening and the user's list in a ranking of all users."""
    n = len(scorer.users)
    of_users = torch.arange(n).repeat_interleave(40)
    generator = torch.Generator().manual_seed(1)
    items = torch.randint(scorer.n_items + 5, (n * 40,), generator=generator)  # some are cold
    seen = Histories.of(of_users, items, n, timed=True)
    ranked = best(scorer, torch.arange(n), k, seen, allowed)
    longest = float(scorer.items.norm(dim=1).max())
    found = best_of_one(scorer, user, k, seen.select(torch.tensor([user])), allowed, longest)
    return found, ranked


@pytest.mark.parametrize("width", [1, 5, 17, 64, 65])
@pytest.mark.parametrize("k", [1, 10, 200])
def test_screening_changes_no_bit(width: int, k: int) -> None:
    generator = torch.Generator().manual_seed(width)
    users = torch.randn(20, width, generator=generator)
    items = torch.randn(20_001, width, generator=generator)
    items[10_000:10_050] = items[:50]  # equal scores
    scorer = DotProductScorer(users, items)
    for user, allowed in ((0, None), (7, torch.rand(20_001, generator=generator) < 0.5)):
        found, ranked = both(scorer, user, k, allowed)
        assert found is not None
        assert torch.equal(found.items[0], ranked.items[user])
        assert torch.equal(found.scores[0], ranked.scores[user])


def test_scores_that_rounding_cannot_tell_apart_are_ranked_as_usual() -> None:
    scorer = DotProductScorer(torch.ones(2, 8), torch.ones(20_001, 8))
    assert both(scorer, 0, 10)[0] is None
    few = torch.zeros(20_001, dtype=torch.bool)
    few[:9] = True  # fewer than k may be recommended
    assert both(scorer, 0, 10, few)[0] is None


def test_a_recommender_gives_one_user_the_list_of_all_users() -> None:
    n_users, n_items = 5, 20_001
    tower = conf.compose("train", ["tower=embedding", "tower.emb_dim=8"])["tower"]
    users, items = Side("user", n_users, n_users, None), Side("item", n_items, n_items, None)
    recommender = Recommender(
        model=TwoTower.build(conf.build(tower), users=users, items=items, seed=0),
        tower=tower,
        vocabulary=Vocabulary(
            pl.Series("user_id", range(n_users)), pl.Series("item_id", range(n_items))
        ),
        histories=Histories.of(torch.arange(n_users), torch.arange(n_users), n_users, True),
        users=users,
        items=items,
    )
    together = recommender.recommend()
    assert pl.concat([recommender.recommend([user]) for user in range(n_users)]).equals(together)
    assert recommender.recommend([99])["based_on"].unique().to_list() == ["popularity"]
