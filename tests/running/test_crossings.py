"""Any two choices of the config work together: runs that cover all pairs of choices."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import twotower
from twotower.config import CONF_DIR

LISTS = ["user_id", "item_id", "rank", "score"]
DATA = [
    "dataset=synthetic",
    "dataset.n_users=60",
    "dataset.n_items=40",
    "dataset.n_interactions=900",
    "preprocessing=none",
    "baselines=[]",
    "tracking=none",
    "resume=false",
    "embedding_plot=none",
    "trainer.max_epochs=1",
    "trainer.batch_size=128",
    "trainer.progress_bar=false",
]
# What the defaults of a choice do not fit: 40 items, the step size of a table of embeddings.
FITTING = {
    "negative_sampling=shared": "negative_sampling.num_negatives=8",
    "negative_sampling=mixed": "negative_sampling.components.shared.num_negatives=8",
    "optimizer=sgd": "optimizer.lr=0.1",
}


def choices(group: str, *without: str) -> list[str]:
    """Return `group=choice` for each choice of a group but those in `without`."""
    names = sorted(path.stem for path in (CONF_DIR / group).glob("*.yaml"))
    return [f"{group}={name}" for name in names if name not in without]


AXES = [
    choices("loss"),
    [
        *choices("tower", "history"),
        *(f"tower=history {each}" for each in choices("tower/encoder")),
    ],
    choices("split", "given"),
    choices("negative_sampling"),
    choices("optimizer", "sparse_adam"),  # which trains embedding towers alone
    choices("trainer/scheduler"),
    choices("tower/prior"),
    choices("trainer/callbacks"),
    ["tower.similarity=dot", "tower.similarity=cosine"],
    ["trainer.kernel=auto", "trainer.kernel=autograd"],
    ["trainer.refit=true", "trainer.refit=false"],
    ["evaluation.drop_seen=true", "evaluation.drop_seen=false"],
    ["trainer.half_life=null", "trainer.half_life=30"],
]


def rows_covering_pairs() -> Iterator[tuple[str, ...]]:
    """Yield rows of one choice per axis, until each two choices of two axes share a row.

    Of 20 random rows the one with the most new pairs is next, which is close to the fewest rows
    (Cohen et al. 1997, "The AETG system").
    """
    rng = random.Random(0)
    missing = {
        pair
        for first, second in itertools.combinations(AXES, 2)
        for pair in itertools.product(first, second)
    }
    while missing:
        wanted = rng.choice(sorted(missing))
        rows = [
            tuple(next((c for c in wanted if c in axis), rng.choice(axis)) for axis in AXES)
            for _ in range(20)
        ]
        row = max(rows, key=lambda row: len(missing & set(itertools.combinations(row, 2))))
        missing -= set(itertools.combinations(row, 2))
        yield row


ROWS = list(rows_covering_pairs())


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_any_two_choices_work_together(row: tuple[str, ...], tmp_path: Path) -> None:
    chosen = [override for choice in row for override in choice.split()]
    fitting = [FITTING[choice] for choice in row if choice in FITTING]
    result = twotower.run([*DATA, *chosen, *fitting, f"output_dir={tmp_path}"])
    assert all(math.isfinite(value) for value in result.metrics.values())
    assert result.test is not None
    judged: pl.DataFrame = result.test.recommendation_lists.select(LISTS)
    users = judged["user_id"].unique(maintain_order=True)
    drop_seen = "evaluation.drop_seen=true" in row
    assert result.recommender.recommend(users, drop_seen=drop_seen)[LISTS].equals(judged)
