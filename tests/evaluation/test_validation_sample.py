"""A fixed sample of the users of a validation part."""

from __future__ import annotations

import json
import logging

import pytest
import torch
from judged_folds import make_fold  # type: ignore[import-not-found]

from twotower.config import build, compose
from twotower.core.errors import ConfigError
from twotower.evaluation import Evaluation, ranking_progress, sample
from twotower.types import Fold

N_USERS = 40


def judge(users: int | str, *overrides: str) -> Evaluation:
    lines = [f"evaluation.validation_users={users}", "evaluation.k=2", *overrides]
    made: Evaluation = build(compose("train", lines)["evaluation"])
    return made


@pytest.fixture(scope="module")
def fold() -> Fold:
    """User u has seen item u % 5, and should get item (u + 1) % 5."""
    seen = [[user % 5] for user in range(N_USERS)]
    made: Fold = make_fold(seen, 5, {user: [(user + 1) % 5] for user in range(N_USERS)})
    return made


def test_a_sample_keeps_users_with_their_own_pairs_and_histories(fold: Fold) -> None:
    sampled = judge(10).validated(fold)
    holdout = sampled.holdout
    assert len(holdout.users) == 10
    assert holdout.users.tolist() == sorted(set(holdout.users.tolist()))
    assert torch.equal(holdout.relevant.items, (holdout.users + 1) % 5)
    assert torch.equal(holdout.seen.items, holdout.users % 5)
    assert holdout.size == "10 of 40 users"
    assert sampled.train is fold.train
    assert sampled.histories is fold.histories


def test_the_sample_is_fixed_and_part_of_every_larger_one(fold: Fold) -> None:
    ten, again, twenty = (judge(n).validated(fold).holdout.users for n in (10, 10, 20))
    assert torch.equal(ten, again)
    assert set(ten.tolist()) < set(twenty.tolist())


@pytest.mark.parametrize("users", ["all", "auto", N_USERS, N_USERS + 1])
def test_enough_users_leave_the_fold_as_it_is(fold: Fold, users: int | str) -> None:
    assert judge(users).validated(fold) is fold
    assert fold.holdout.size == "40 users"


def test_auto_ranks_as_many_users_as_make_two_billion_scores(
    fold: Fold, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (sample.MOST_SCORES, sample.FEWEST) == (2_000_000_000, 2_000)  # as conf/ documents
    monkeypatch.setattr(sample, "FEWEST", 3)
    for scores, users in ((200, 40), (199, 39), (26, 5), (5, 3)):  # of 5 items each
        monkeypatch.setattr(sample, "MOST_SCORES", scores)
        assert len(judge("auto").validated(fold).holdout.users) == users


def test_metrics_of_the_sample_are_the_means_over_its_users(fold: Fold) -> None:
    class Rising:
        n_users, n_items = N_USERS, 5

        def score_all(self, users: torch.Tensor) -> torch.Tensor:
            return torch.arange(5.0).expand(len(users), -1)

    whole, some = judge("all"), judge(10)
    values = {}
    for evaluation, its in ((whole, fold), (some, some.validated(fold))):
        measured = evaluation.measure(evaluation.recommend(Rising(), its), its)
        values[len(its.holdout.users)] = dict(
            measured.per_user.select("user_id", "ndcg_at_2").iter_rows()
        )
    assert values[10].items() < values[40].items()


def test_samples_are_never_compared_with_all_users(fold: Fold) -> None:
    whole, some = judge("all"), judge(10)
    conditions = json.loads(some.conditions(some.validated(fold)))
    assert (conditions["users"], conditions["sampled_from"]) == (10, 40)
    assert "sampled_from" not in json.loads(whole.conditions(fold))


@pytest.mark.parametrize("value", ["some", "0", "-3", "2.5"])
def test_another_value_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"evaluation\.validation_users: got .*auto.*all"):
        compose("train", [f"evaluation.validation_users={value}"])


def test_a_long_ranking_logs_how_much_is_done(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 10.0, 20.0, 40.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    with (
        caplog.at_level(logging.INFO, "twotower.evaluation"),
        ranking_progress.ranking_progress("test", 4000) as progress,
    ):
        for _ in range(3):  # after 10 s it is too early for a line; at 40 s all is done
            progress(1000 if _ < 2 else 2000)
    # 2,000 of 4,000 took 20 s.
    assert caplog.messages == ["ranking, test: 2,000 of 4,000 users, about 20 s left"]
