import builtins
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from twotower.baselines import ALS, Baseline, Ease, ItemKNN, Popularity, Random
from twotower.errors import ConfigError
from twotower.types import Scorer, TrainInteractions

CONF = Path(__file__).parents[2] / "conf"
CHOICES = sorted(path.stem for path in (CONF / "baselines").glob("*.yaml"))


def train_part(histories: list[list[int]], n_items: int) -> TrainInteractions:
    pairs = [(user, item) for user, items in enumerate(histories) for item in items]
    users, items = (torch.tensor(side, dtype=torch.int64) for side in zip(*pairs, strict=True))
    return TrainInteractions(users, items, len(histories), n_items)


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
    assert CHOICES == ["als", "ease", "item_knn", "popularity", "random"]


def test_choices_compose_side_by_side() -> None:
    assert list(from_yaml(*CHOICES)) == CHOICES


@pytest.mark.parametrize("choice", CHOICES)
def test_contract(choice: str) -> None:
    """Scores are finite, alike when fitted again, and do not depend on the block."""
    if choice == "als":
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
    ],
    ids=repr,
)
def test_checkerboard_brings_back_the_withheld_item(baseline: Baseline) -> None:
    if isinstance(baseline, ALS):
        pytest.importorskip("implicit")
    train = checkerboard(20)
    ranking = baseline.fit(train).score_all(torch.arange(20))
    seen = train.items_by_user
    ranking[seen.rows, seen.items] = -torch.inf
    assert ranking.argmax(1).tolist() == list(range(20))


def test_popularity_counts_interactions() -> None:
    scorer = Popularity().fit(train_part([[0, 1], [1], [1, 2]], 4))
    assert scores(scorer, [2, 0]) == [[1, 3, 1, 0]] * 2


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


def test_random_differs_by_user_and_seed() -> None:
    train = checkerboard(12)
    first, second = scores(Random(seed=0).fit(train), [0, 1])
    assert first != second
    assert scores(Random(seed=1).fit(train), [0]) != [first]


def test_als_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_implicit(name: str, *args: Any) -> Any:
        if name.startswith("implicit"):
            raise ImportError(name)
        return real_import(name, *args)

    monkeypatch.setattr(builtins, "__import__", without_implicit)
    als = ALS(factors=2, iterations=1, regularization=0.1, alpha=1.0, seed=0)
    with pytest.raises(ConfigError, match=r"baselines\.als .* pip install 'twotower\[benchmark\]'"):
        als.fit(checkerboard(4))
