"""Choices and keys of one command line are checked together."""

from __future__ import annotations

from pathlib import Path

import pytest

import twotower
from twotower.config import build, compose
from twotower.config.tree import choices
from twotower.core.errors import ConfigError
from twotower.dataset.movielens_100k import MovieLens100K
from twotower.types import Interactions


def message(*overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        build(compose("train", overrides))
    return str(caught.value)


def test_unknown_choices_are_reported_with_all_other_errors() -> None:
    text = message("loss=bcee", "baselines=[popularity,eas,randm]", "seed=-1", "+a=1")
    first, *lines = text.splitlines()
    assert first == "the config has 5 errors; no data was read"
    losses, baselines = (", ".join(choices(group)) for group in ("loss", "baselines"))
    assert lines[:4] == [
        f"  loss=bcee: no such choice; did you mean 'bce'? Valid: {losses}",
        f"  baselines=eas: no such choice; did you mean 'ease'? Valid: {baselines}",
        f"  baselines=randm: no such choice; did you mean 'random'? Valid: {baselines}",
        "  seed: got -1; input should be greater than or equal to 0",
    ]
    assert lines[4].startswith("  a: no such key; Valid: baselines, comparison, ")


def test_keys_of_an_unknown_choice_are_not_checked() -> None:
    # Whether this tower has `depth` cannot be known.
    assert message("tower=deep", "tower.depth=3") == (
        "the config has 1 error; no data was read\n  tower=deep: no such choice; Valid: embedding, "
        "features, history, pair"
    )


@pytest.mark.parametrize("group", ["split", "trainer", "tower", "seed"])
def test_what_is_deleted_is_missing(group: str) -> None:
    assert f"\n  {group}: missing; it must be set" in message(f"~{group}")


@pytest.mark.parametrize("key", ["trainer.validate_every", "tower.bias", "tower.similarity"])
def test_a_deleted_value_is_missing_where_it_is_compared_with_another(key: str) -> None:
    assert message(f"~{key}").endswith(f"\n  {key}: missing; it must be set")


def test_columns_are_keys_like_others() -> None:
    text = message("dataset=file", "dataset.path=a.csv", "+dataset.columns={user: 1.5, itm: b}")
    assert text.splitlines()[1:] == [
        "  dataset.columns.user: got 1.5; input should be a valid string, or "
        "input should be a valid integer",
        "  dataset.columns.itm: no such key; did you mean 'item'? "
        "Valid: item, rating, timestamp, user, weight",
    ]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (
            "optimizer.lr=-1",
            "the config has 1 error; no data was read\n  optimizer: Invalid learning rate: -1",
        ),
        ("optimizer.lr=fast", "optimizer.lr: got 'fast'; input should be a valid number"),
        ("preprocessing.filters=[5]", "got [5]; must be an object, in YAML a node with _target_"),
        ("++tower._target_=nowhere.Tower", "which cannot be imported: No module named 'nowhere'"),
        ("seed=${sead}", "seed: Interpolation key 'sead' not found"),
        ("seed=${seed}", "seed: Recursive interpolation detected"),
        (
            "preprocessing.filters=[{_target_: replay.preprocessing.filters.TimePeriodFilter, "
            "start_date: soon}]",
            "preprocessing.filters.0: replay.preprocessing.filters.TimePeriodFilter refuses "
            "start_date=soon (ValueError: time data 'soon' does not match format",
        ),
    ],
)
def test_a_text_states_the_error_in_one_line(override: str, expected: str) -> None:
    text = message(override)
    assert expected in text
    assert len(text.splitlines()) <= 2


def test_groups_of_hydra_keep_the_choices_of_hydra() -> None:
    compose("train", ["hydra/job_logging=none"])


def test_no_data_is_read_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(self: MovieLens100K) -> Interactions:
        raise AssertionError("the data was read")

    monkeypatch.setattr(MovieLens100K, "load", load)
    monkeypatch.chdir(tmp_path)
    for wrong in ("tower.emb_dim=0", "loss=bcee", "optimizer.lr=-1", "evaluation.metrics=[map]"):
        with pytest.raises(ConfigError):
            twotower.run([wrong])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(AssertionError, match="the data was read"):  # the trap does work
        twotower.run(["tracking=none"])


@pytest.mark.parametrize(
    ("typed", "ids"),
    [
        ("[2_1,007,1e3]", ["2_1", "007", "1e3"]),
        ("[null,true,-7,7.0]", ["null", "true", "-7", "7.0"]),
        ("12", ["12"]),
        ("1,2", ["1", "2"]),
        ("[a=b,c d,(e),é]", ["a=b", "c d", "(e)", "é"]),
        ("""['2,1',"x\\"y",it's]""", ["2,1", 'x"y', "it's"]),
        ("[ 7 , 8 ]", ["7", "8"]),
        ("'null'", ["null"]),
        ("[]", []),
        ("null", None),
    ],
)
def test_ids_of_users_are_what_was_typed(typed: str, ids: list[str] | None) -> None:
    assert compose("recommend", [f"users={typed}"])["users"] == ids
