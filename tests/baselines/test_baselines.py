import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from twotower.baselines import (
    ALS,
    BPR,
    Baseline,
    Ease,
    HistoryScorer,
    ItemKNN,
    Popularity,
    Random,
    RecentPopularity,
)
from twotower.core.errors import ConfigError, DataError
from twotower.types import Histories, Scorer, TrainInteractions

CONF = Path(__file__).parents[2] / "conf"
CHOICES = sorted(path.stem for path in (CONF / "baselines").glob("*.yaml"))


IMPLICIT = ("als", "bpr")
DAY = 86_400 * 1_000_000  # microseconds


def train_part(histories: list[list[int]], n_items: int) -> TrainInteractions:
    """One interaction a day."""
    pairs = [(user, item) for user, items in enumerate(histories) for item in items]
    users, items = (torch.tensor(side, dtype=torch.int64) for side in zip(*pairs, strict=True))
    days = torch.arange(len(pairs)) * DAY
    return TrainInteractions(users, items, len(histories), n_items, days)


def checkerboard(size: int) -> TrainInteractions:
    """User u has the items of u's parity, all but item u itself."""
    histories = [[i for i in range(u % 2, size, 2) if i != u] for u in range(size)]
    return train_part(histories, size)


def scores(scorer: Scorer, users: list[int]) -> list[list[float]]:
    rows: list[list[float]] = scorer.score_all(torch.tensor(users)).tolist()
    return rows


def from_yaml(*choices: str) -> dict[str, Baseline]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(overrides=[f"+baselines=[{','.join(choices)}]"])
    baselines: dict[str, Baseline] = instantiate(config.baselines, _convert_="all")
    return baselines


def test_choices_are_found() -> None:
    assert {"als", "bpr", "ease", "item_knn", "popularity", "random"} < set(CHOICES)


def test_choices_compose_side_by_side() -> None:
    assert list(from_yaml(*CHOICES)) == CHOICES


@pytest.mark.parametrize("choice", CHOICES)
def test_contract(choice: str) -> None:
    """Scores are finite, alike when fitted again, and do not depend on the block."""
    if choice in IMPLICIT:
        pytest.importorskip("implicit")
    train = checkerboard(12)
    baseline = from_yaml(choice)[choice]
    everybody = torch.arange(12)
    whole = baseline.fit(train).score_all(everybody)
    assert whole.shape == (12, 12)
    assert whole.isfinite().all()
    again = baseline.fit(train)
    assert torch.equal(again.score_all(everybody), whole)
    for user in everybody:
        torch.testing.assert_close(again.score_all(user[None]), whole[user, None])
    assert again.score_all(everybody[:0]).shape == (0, 12)


@pytest.mark.parametrize(
    "baseline",
    [
        Ease(l2=1.0, precision="float64"),
        Ease(l2=1.0, precision="float32"),
        ItemKNN(neighbours=5, shrink=1.0),
        ItemKNN(neighbours=50, shrink=0.0),
        ALS(factors=2, iterations=10, regularization=0.01, alpha=2.0, seed=0),
        BPR(factors=4, iterations=200, learning_rate=0.1, regularization=0.0, seed=0),
    ],
    ids=repr,
)
def test_checkerboard_brings_back_the_withheld_item(baseline: Baseline) -> None:
    if isinstance(baseline, ALS | BPR):
        pytest.importorskip("implicit")
    train = checkerboard(20)
    ranking = baseline.fit(train).score_all(torch.arange(20))
    seen = train.items_by_user
    ranking[seen.rows, seen.items] = -torch.inf
    assert ranking.argmax(1).tolist() == list(range(20))


def test_popularity_counts_interactions() -> None:
    scorer = Popularity().fit(train_part([[0, 1], [1], [1, 2]], 4))
    assert scores(scorer, [2, 0]) == [[1, 3, 1, 0]] * 2


# Item 0 comes on days 0, 1 and 2, item 1 on days 8 and 9, item 2 on day 10; item 3 never.
DAYS = {0: [0, 1, 2], 1: [8, 9], 2: [10], 3: []}


def recent(days: float | None, half_life: float | None) -> list[int]:
    """The items of DAYS as ranked, best first."""
    events = [(day, item) for item, days_of in DAYS.items() for day in days_of]
    train = TrainInteractions(
        users=torch.arange(len(events)),
        items=torch.tensor([item for _, item in events]),
        n_users=len(events),
        n_items=len(DAYS),
        timestamps=torch.tensor([day for day, _ in events]) * DAY,
    )
    (row,) = scores(RecentPopularity(days=days, half_life=half_life).fit(train), [4])
    assert len(set(row)) == len(row)  # no two of them are alike
    return sorted(range(len(row)), key=lambda item: -row[item])


def test_recent_popularity_counts_the_last_days_then_all() -> None:
    # Ages from day 10. Within 1.5 days: item 1 once (day 9), item 2 once; item 0 not at all. The
    # tie goes to item 1 with two interactions in all, and item 0 comes before item 3 that has none.
    assert recent(days=1.5, half_life=None) == [1, 2, 0, 3]
    assert recent(days=0.5, half_life=None) == [2, 0, 1, 3]
    assert recent(days=2.0, half_life=None) == [1, 2, 0, 3]  # day 8 counts: its age is 2
    assert recent(days=None, half_life=None) == [0, 1, 2, 3]  # popularity


def test_recent_popularity_halves_the_weight_after_each_half_life() -> None:
    # Half-life 1: item 2 weighs 1, item 1 1/2 + 1/4, item 0 less than 1/128.
    assert recent(days=None, half_life=1.0) == [2, 1, 0, 3]
    # Half-life 10: item 0 weighs 2^-1 + 2^-0.9 + 2^-0.8 = 1.61, item 1 2^-0.2 + 2^-0.1 = 1.80.
    assert recent(days=None, half_life=10.0) == [1, 0, 2, 3]
    # Both: of item 1 day 9 alone is within 1.5 days and weighs 2^-0.1.
    assert recent(days=1.5, half_life=10.0) == [2, 1, 0, 3]


def test_recent_popularity_without_timestamps_names_the_remedy() -> None:
    train = TrainInteractions(torch.tensor([0]), torch.tensor([0]), 1, 1)
    with pytest.raises(DataError, match=r"set dataset\.columns\.timestamp, or use `popularity`"):
        RecentPopularity(days=7.0, half_life=None).fit(train)
    ordered = replace(train, timestamps=torch.tensor([5]), dated=False)
    with pytest.raises(DataError, match=r"dataset\.timestamp_unit=order gives an order alone"):
        RecentPopularity(days=7.0, half_life=None).fit(ordered)


def test_item_knn_by_hand() -> None:
    # Items 0, 1, 2 have users {0, 1}, {0, 1, 2}, {2}. Cosines: 0-1: 2/sqrt(6), 1-2: 1/sqrt(3).
    train = train_part([[0, 1], [0, 1], [1, 2]], 3)
    near, far = 2 / 6**0.5, 1 / 3**0.5
    plain = ItemKNN(neighbours=3, shrink=0.0).fit(train)
    assert scores(plain, [0, 2]) == [
        pytest.approx([near, near, far]),
        pytest.approx([near, far, far]),
    ]
    # One neighbour: item 1 keeps item 0 alone, items 0 and 2 keep item 1.
    single = ItemKNN(neighbours=1, shrink=0.0).fit(train)
    assert scores(single, [2]) == [pytest.approx([near, 0.0, far])]
    shrunk = ItemKNN(neighbours=3, shrink=2.0).fit(train)
    assert scores(shrunk, [0])[0][0] == pytest.approx(2 / (6**0.5 + 2))


def test_item_knn_is_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    train = checkerboard(12)
    whole = ItemKNN(neighbours=4, shrink=1.0).fit(train).score_all(torch.arange(12))
    monkeypatch.setattr("twotower.baselines.item_knn._BLOCK_ENTRIES", 30)  # two items a block
    blocks = ItemKNN(neighbours=4, shrink=1.0).fit(train).score_all(torch.arange(12))
    assert torch.equal(whole, blocks)


def test_ease_by_hand() -> None:
    # Users {0, 1}, {0}: G = [[2, 1], [1, 1]]. Two ridges with one input each: with l2 = 1 the
    # weight of item 1 for item 0 is 1 / (1 + 1) = 1/2, of item 0 for item 1 it is 1 / (2 + 1).
    scorer = Ease(l2=1.0, precision="float64").fit(train_part([[0, 1], [0]], 2))
    assert scores(scorer, [0, 1]) == [pytest.approx([1 / 2, 1 / 3]), pytest.approx([0, 1 / 3])]


@pytest.mark.parametrize(
    "baseline", [Ease(l2=1.0, precision="float32"), ItemKNN(neighbours=3, shrink=0.0)], ids=repr
)
def test_new_users_are_served_by_what_they_had_met(baseline: Baseline) -> None:
    train = checkerboard(12)
    scorer = baseline.fit(train)
    assert isinstance(scorer, HistoryScorer)
    # A 13th user with the history of user 3, and a 14th without any; repeats count once.
    met = train.items[train.users == 3]
    users = torch.cat([train.users, torch.full((len(met) + 1,), 12)])
    items = torch.cat([train.items, met, met[:1]])
    message = scorer.with_histories(Histories.of(users, items, 14, timed=True))
    assert (message.n_users, message.n_items) == (14, 12)
    scored = message.score_all(torch.tensor([3, 12, 13]))
    torch.testing.assert_close(scored[:1], scorer.score_all(torch.tensor([3])))
    torch.testing.assert_close(scored[1], scored[0])
    assert not scored[2].any()


def test_random_differs_by_user_and_seed() -> None:
    train = checkerboard(12)
    first, second = scores(Random(seed=0).fit(train), [0, 1])
    assert first != second
    assert scores(Random(seed=1).fit(train), [0]) != [first]


@pytest.mark.parametrize(
    ("choice", "baseline"),
    [
        ("als", ALS(factors=2, iterations=1, regularization=0.1, alpha=1.0, seed=0)),
        ("bpr", BPR(factors=2, iterations=1, learning_rate=0.1, regularization=0.1, seed=0)),
    ],
)
def test_what_needs_the_extra_names_it(
    choice: str, baseline: Baseline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, f"implicit.cpu.{choice}", None)  # as if not installed
    message = rf"baselines\.{choice} .* pip install 'twotower\[benchmark\]'"
    with pytest.raises(ConfigError, match=message):
        baseline.fit(checkerboard(4))


def test_bpr_differs_by_seed() -> None:
    pytest.importorskip("implicit")
    first, second = (
        BPR(factors=2, iterations=5, learning_rate=0.1, regularization=0.0, seed=seed).fit(
            checkerboard(8)
        )
        for seed in (0, 1)
    )
    assert scores(first, [0]) != scores(second, [0])
