from dataclasses import replace
from math import log2
from pathlib import Path
from typing import Any, get_type_hints

import polars as pl
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from judged_folds import item_lists, make_fold, recommend  # type: ignore[import-not-found]
from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import Tensor

from twotower import config as conf
from twotower.core.errors import ConfigError, DataError
from twotower.evaluation import Evaluation, recommendations_frame, relevant_frame
from twotower.evaluation.metrics import METRICS
from twotower.types import Fold, Holdout
from twotower.types.metric_name import DEFAULT

CONF = str(Path(__file__).parents[2] / "conf")


def evaluation(**changes: Any) -> Evaluation:
    values = {
        "k": 2,
        "metrics": list(METRICS),
        "monitor": "ndcg",
        "test": "best",
        "validation_users": "all",
        "drop_seen": True,
        "block_scores": 1000,
        "confidence": 0.95,
        "by": None,
    }
    return Evaluation(**{**values, **changes})


def from_yaml(*overrides: str) -> Evaluation:
    with initialize_config_dir(CONF, version_base="1.3"):
        evaluation = instantiate(compose(overrides=list(overrides)).evaluation, _convert_="all")
    assert isinstance(evaluation, Evaluation)
    return evaluation


@pytest.fixture
def fold() -> Fold:
    """Four users, four items; users 0 and 1 are judged, and user 4, who is cold."""
    made: Fold = make_fold([[0, 1], [0], [0, 2], [3]], 4, {0: [2, 3, 1], 1: [1], 4: [0]})
    return made


def test_values_by_hand(fold: Fold) -> None:
    # Lists of 2: user 0 gets 2 (a hit), 0 (a miss, seen); user 1 gets 3 (a miss), 1 (a hit).
    recommendations = recommend([[2, 0], [3, 1], []], fold.holdout.users, 2)
    second = 1 / log2(3)  # the discount of place 2
    # Users of items 0..3 are 3, 1, 1, 1 of 4: surprisal log2(4/3)/2 of item 0 and 1 of the others.
    plain = log2(4 / 3) / 2
    assert evaluation().measure(recommendations, fold).values == pytest.approx(
        {
            "ndcg_at_2": (1 / (1 + second) + second + 0) / 3,  # user 1 has one relevant item
            "hitrate_at_2": 2 / 3,
            "coverage_at_2": 4 / 4,  # 2, 0, 3 and 1
            "recall_at_2": (1 / 3 + 1 + 0) / 3,
            "precision_at_2": (1 / 2 + 1 / 2 + 0) / 3,
            "mrr_at_2": (1 + 1 / 2 + 0) / 3,
            "map_at_2": (1 / 2 + (1 / 2) / 1 + 0) / 3,
            # Over train users: 0 has seen one of two; 1 none; 2 and 3 were not asked and count 1.
            "novelty_at_2": (1 / 2 + 1 + 1 + 1) / 4,
            # Over users with recommendations.
            "surprisal_at_2": ((1 + plain) / 2 + (1 + 1) / 2) / 2,
            # Of user 0's hit and miss the hit comes first, of user 1's the miss.
            "auc_at_2": (1 + 0 + 0) / 3,
            "r_precision_at_2": (1 / 2 + 1 / 1 + 0) / 3,
            # Counts 3, 1, 1, 1 have the ranks 1, 2, 2, 2: q = 3/4 of the items but 0. Hits at place
            # 1 (p = 1) and 2 (p = 3/4).
            "serendipity_at_2": ((1 - 3 / 4) / 2 + (3 / 4 - 3 / 4) / 2 + 0) / 3,
            # Users of 2 and 0 are {2} and {0, 1, 2}, of 3 and 1 {3} and {0}.
            "intra_list_diversity_at_2": ((1 - 1 / 3**0.5) + 1 + 0) / 3,
            # Before items 0, 1, 2, 3 are 0, 3, 4, 5 of 6; the tail is from 80% = 4.8 on.
            "tail_share_at_2": (0 + 1 / 2) / 2,
            # The groups end at 1.2 and 4.8: item 0 | 1, 2 | 3. User 0 has seen 0, 1 and gets 2, 0.
            # User 1 has seen 0 and gets 3, 1, nothing in common.
            "popularity_miscalibration_at_2": (0 + 1) / 2,
            "gini_at_2": 0,  # each item once
            "entropy_at_2": log2(4),
        }
    )


def test_interval_by_hand(fold: Fold) -> None:
    # Hits 1, 1, 0: mean 2/3, s = sqrt(1/3), half-width 1.959964 * sqrt(1/3) / sqrt(3) = 0.653321.
    recommendations = recommend([[2, 0], [3, 1], []], fold.holdout.users, 2)
    intervals = evaluation().measure(recommendations, fold).intervals
    assert intervals["hitrate_at_2"] == pytest.approx(
        (2 / 3 - 0.653321, 2 / 3 + 0.653321), abs=1e-6
    )
    assert "coverage_at_2" not in intervals


def test_per_user_frame_holds_the_original_ids(fold: Fold) -> None:
    recommendations = recommend([[0, 2], [1, 3], []], fold.holdout.users, 2)
    measured = evaluation(k=[1, 2], metrics=["hitrate", "coverage"], monitor="hitrate").measure(
        recommendations, fold
    )
    assert measured.per_user.to_dict(as_series=False) == {
        "user_id": ["u000", "u001", None],  # the vocabulary has no id for the cold user
        "n_seen": [2, 1, 0],
        "hitrate_at_1": [0.0, 1.0, 0.0],
        "hitrate_at_2": [1.0, 1.0, 0.0],
    }


def test_relevant_pairs_have_their_ranks_and_popularity(fold: Fold) -> None:
    # Items 0..3 have 3, 1, 1 and 1 train interactions. User 0 gets 2 and 0 of its 1, 2, 3.
    recommendations = recommend([[2, 0], [3, 1], []], fold.holdout.users, 2)
    assert relevant_frame(recommendations, fold).to_dict(as_series=False) == {
        "user_id": ["u000", "u000", "u000", "u001", None],
        "item_id": [101, 102, 103, 101, 100],
        "popularity": [1, 1, 1, 1, 3],
        "rank": [None, 1, None, 2, None],
    }


def test_a_relevant_item_that_train_lacks_is_never_found() -> None:
    fold = make_fold([[0], [1]], 2, {0: [1, 7]})
    recommendations = recommend([[1]], fold.holdout.users, 2)
    assert relevant_frame(recommendations, fold).to_dict(as_series=False) == {
        "user_id": ["u000", "u000"],
        "item_id": [101, None],
        "popularity": [1, 0],
        "rank": [1, None],
    }


def test_a_fold_without_recommendations_scores_nothing() -> None:
    cold = make_fold([[0], [1]], 2, {2: [0], 3: [1]})
    measured = evaluation().measure(recommend([[], []], cold.holdout.users, 2), cold)
    assert measured.values == {f"{name}_at_2": float(name == "novelty") for name in METRICS}


def test_one_train_user_surprises_nobody() -> None:
    alone = make_fold([[0]], 1, {0: [0]})
    measured = evaluation().measure(recommend([[0]], alone.holdout.users, 2), alone)
    assert measured.values["surprisal_at_2"] == 0.0


class Rising:
    """The higher the row of an item, the better; the five users of train are known."""

    n_users, n_items = 4, 4

    def score_all(self, users: Tensor) -> Tensor:
        return torch.arange(4.0).expand(len(users), 4)


def test_seen_items_are_dropped_or_kept(fold: Fold) -> None:
    # Users 0 and 1 have seen {0, 1} and {0}; user 4 is cold.
    dropped = evaluation(k=3).recommend(Rising(), fold)
    assert dropped.items.tolist() == [[3, 2, -1], [3, 2, 1], [-1, -1, -1]]
    kept = evaluation(k=3, drop_seen=False).recommend(Rising(), fold)
    assert kept.items.tolist() == [[3, 2, 1], [3, 2, 1], [-1, -1, -1]]
    assert evaluation(k=[1, 2]).recommend(Rising(), fold).items.shape == (3, 2)


def test_frame_of_recommendations(fold: Fold) -> None:
    recommendations = recommend([[2, 0], [3], []], fold.holdout.users, 2)
    titles = pl.DataFrame({"item_id": [103, 100], "title": ["Alien", "Heat"], "year": [1979, 1995]})
    frame = recommendations_frame(recommendations, fold.vocabulary, titles)
    assert frame.to_dict(as_series=False) == {
        "user_id": ["u000", "u000", "u001"],
        "item_id": [102, 100, 103],
        "rank": [1, 2, 1],
        "score": [0.0, -1.0, 0.0],
        "title": [None, "Heat", "Alien"],
    }
    untitled = recommendations_frame(recommendations, fold.vocabulary, titles.drop("title"))
    assert untitled.equals(frame.drop("title"))
    assert recommendations_frame(recommendations, fold.vocabulary, None).equals(untitled)


def test_default_config() -> None:
    default = from_yaml("+evaluation=default")
    assert set(default.metrics) == DEFAULT
    assert (default.cutoffs, default.monitor_name, default.drop_seen) == ([10], "ndcg_at_10", True)


def test_notebook_config() -> None:
    notebook = from_yaml("+evaluation=notebook")
    assert notebook.metrics == ["ndcg", "hitrate", "coverage"]
    assert (notebook.cutoffs, notebook.drop_seen) == ([10], False)


def test_one_override_changes_k() -> None:
    assert from_yaml("+evaluation=default", "evaluation.k=20").monitor_name == "ndcg_at_20"
    several = from_yaml("+evaluation=default", "evaluation.k=[10,5]")
    assert (several.cutoffs, several.monitor_name) == ([10, 5], "ndcg_at_10")


def check(key: str, value: object) -> None:
    hint = get_type_hints(Evaluation, include_extras=True)[key]
    allowed = ConfigDict(arbitrary_types_allowed=True)
    TypeAdapter(hint, config=allowed).validate_python(value, strict=True)


def test_type_hints_refuse_what_is_not_valid() -> None:
    check("k", 20)
    check("k", [5, 10])
    for key, value in [("k", 0), ("k", []), ("k", [5, -1]), ("metrics", []), ("confidence", 1.0)]:
        with pytest.raises(ValidationError):
            check(key, value)
    valid = "must be one of ndcg, hitrate, coverage, .*entropy; did you mean 'ndcg'?"
    with pytest.raises(ValidationError, match=f"no metric 'ndgc'; {valid}"):
        check("metrics", ["hitrate", "ndgc"])


def test_monitor_must_be_measured() -> None:
    with pytest.raises(ConfigError, match=r"^monitor: got 'map'.*must be one of .* ndcg, recall"):
        evaluation(metrics=["ndcg", "recall"], monitor="map")
    lower = r"got 'gini', of which lower is better; must be one of evaluation.metrics: ndcg$"
    with pytest.raises(ConfigError, match=lower):
        evaluation(metrics=["gini", "ndcg"], monitor="gini")


def test_a_metric_of_a_plug_in_is_a_node(fold: Fold) -> None:
    listed = "evaluation.metrics=[recall,{_target_: judged_folds.HitsAbove, least: 0}]"
    config = conf.compose("train", [listed, "evaluation.monitor=hits_above", "evaluation.k=[2,1]"])
    judge = conf.build(config["evaluation"])
    measured = judge.measure(recommend([[2, 0], [3, 1], []], fold.holdout.users, 2), fold)
    assert measured.values["hits_above_at_2"] == pytest.approx(2 / 3)
    assert measured.per_user["hits_above_at_1"].to_list() == [1.0, 0.0, 0.0]
    compared = conf.compose("train", [listed, "evaluation.monitor=recall", METRIC_OF_PLUG_IN])
    assert compared["comparison"]["metric"] == "hits_above_at_10"


METRIC_OF_PLUG_IN = "comparison.metric=hits_above_at_10"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "ndgc",
            "evaluation.metrics: got ['ndcg', 'ndgc']; no metric 'ndgc'; must be one of ndcg, ",
        ),
        ("{_target_: judged_folds.HitsAbove, most: 1}", "evaluation.metrics.1.most: no such key"),
        ("{_target_: judged_folds.Lost}", "metrics.1._target_: got 'judged_folds.Lost', which can"),
        (
            "{_target_: twotower.loss.bpr.BayesianPersonalisedRanking}",
            "which gives BayesianPersonalisedRanking; must be a str or "
            "twotower.evaluation.metric.UserMetric or twotower.evaluation.metric.CatalogueMetric",
        ),
    ],
)
def test_a_wrong_metric_is_an_error(entry: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        conf.compose("train", [f"evaluation.metrics=[ndcg,{entry}]"])
    assert message in str(caught.value)


def test_lists_of_other_users_are_refused(fold: Fold) -> None:
    with pytest.raises(DataError, match="for 1 users do not belong to this holdout of 3 users"):
        evaluation().measure(recommend([[2, 0]], torch.tensor([0]), 2), fold)


def test_lists_that_are_too_short_are_refused(fold: Fold) -> None:
    recommendations = recommend([[2], [3], []], fold.holdout.users, 1)
    with pytest.raises(
        ConfigError, match=r"evaluation\.k: got 2, .* lists of 1; must be from 1 to 1"
    ):
        evaluation().measure(recommendations, fold)


def test_an_empty_holdout_is_refused(fold: Fold) -> None:
    nobody = torch.tensor([], dtype=torch.int64)
    holdout = Holdout(nobody, item_lists([]), item_lists([]))
    with pytest.raises(DataError, match="the holdout has no users"):
        evaluation().measure(recommend([], nobody, 2), replace(fold, holdout=holdout))
