"""Searches whose settings are known from the beginning: a grid, and random draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twotower.config import Axis, axes
from twotower.core.errors import ConfigError
from twotower.sweeping.search import Search, Setting
from twotower.sweeping.search.grid import GridSearch
from twotower.sweeping.search.random import RandomSearch

NOWHERE = Path("nothing is written")


def varying(*overrides: str) -> list[Axis]:
    return axes(overrides)[1]


def asked(search: Search, over: Sequence[Axis]) -> list[Setting]:
    """All settings of a search, which are as many as it said."""
    asking = search.start(over, NOWHERE)
    found = list(asking.ask())
    for setting in found:
        asking.tell(setting, 0.1, pruned=False)
    assert list(asking.ask()) == []
    assert len(found) == search.total(over)
    return found


def drawn(n_trials: int, *overrides: str, seed: int = 0) -> list[dict[str, float]]:
    return [s.values for s in asked(RandomSearch(n_trials, seed), varying(*overrides))]


def test_a_grid_is_every_combination_and_the_last_axis_turns_fastest() -> None:
    found = asked(GridSearch(), varying("tower.emb_dim=16,32", "x.loss=null,bce", "lr=0.1,0.2,0.3"))
    assert [setting.overrides for setting in found][:4] == [
        ("tower.emb_dim=16", "x.loss=null", "lr=0.1"),
        ("tower.emb_dim=16", "x.loss=null", "lr=0.2"),
        ("tower.emb_dim=16", "x.loss=null", "lr=0.3"),
        ("tower.emb_dim=16", "x.loss=bce", "lr=0.1"),
    ]
    assert len(found) == 2 * 2 * 3
    assert found[-1].values == {"tower.emb_dim": 32, "x.loss": "bce", "lr": 0.3}
    assert found[0].values["x.loss"] is None
    assert [setting.study for setting in found] == [None] * 12


def test_a_grid_over_nothing_is_one_setting_without_overrides() -> None:
    (only,) = asked(GridSearch(), [])
    assert (only.values, only.overrides) == ({}, ())


@pytest.mark.parametrize("text", ["interval(0,1)", "int(interval(8,64))"])
def test_a_grid_refuses_an_interval(text: str) -> None:
    over = varying("tower.emb_dim=16,32", f"optimizer.lr={text}")
    for judge in (GridSearch().total, lambda over: GridSearch().start(over, NOWHERE)):
        with pytest.raises(ConfigError) as caught:
            judge(over)
        assert str(caught.value) == (
            "optimizer.lr: got an interval, but a grid tries every value; expected choices such as "
            "1,2,3, or hydra/sweeper=random or optuna, which draw values"
        )


@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_a_grid_holds_each_combination_once(sizes: list[int]) -> None:
    over = varying(*(f"k{n}=choice({','.join(map(str, range(s)))})" for n, s in enumerate(sizes)))
    found = asked(GridSearch(), over)
    places = [tuple(setting.values.values()) for setting in found]
    assert places == sorted(set(places))
    assert len(places) == math.prod(sizes)


@given(
    n_trials=st.integers(1, 30),
    more=st.integers(0, 30),
    seed=st.integers(0, 2**32),
    n_choices=st.integers(1, 4),
    low=st.integers(-5, 5),
    width=st.integers(0, 6),
)
@settings(deadline=None)
def test_random_settings_differ_and_a_longer_search_begins_like_a_shorter_one(
    n_trials: int, more: int, seed: int, n_choices: int, low: int, width: int
) -> None:
    choices = ",".join(f"c{n}" for n in range(n_choices))
    over = varying(f"a=choice({choices})", f"b=int(interval({low},{low + width}))")
    short = asked(RandomSearch(n_trials, seed), over)
    long = asked(RandomSearch(n_trials + more, seed), over)
    # As many as there are: choices times whole numbers, both ends counted.
    assert len(short) == min(n_trials, n_choices * (width + 1))
    assert len({setting.overrides for setting in long}) == len(long)
    assert [s.overrides for s in long][: len(short)] == [s.overrides for s in short]


@given(
    low=st.floats(1e-6, 1e3, allow_subnormal=False),
    ratio=st.floats(1, 1e4),
    log=st.booleans(),
    integer=st.booleans(),
    seed=st.integers(0, 2**32),
)
@settings(deadline=None)
def test_random_values_are_within_their_interval(
    low: float, ratio: float, log: bool, integer: bool, seed: int
) -> None:
    low = math.ceil(low) if integer else low
    high = math.ceil(low * ratio) if integer else low * ratio
    text = f"interval({low!r},{high!r})"
    text = f"int({text})" if integer else text
    (axis,) = over = varying(f"key=tag(log,{text})" if log else f"key={text}")
    for setting in asked(RandomSearch(5, seed), over):
        value = setting.values["key"]
        assert low <= value <= high
        assert type(value) is (int if integer else float)
        # The trial gets the very value that the table shows.
        assert setting.overrides == (f"{axis.key}={value}",)


def test_random_draws_every_whole_number_of_an_interval_alike() -> None:
    # 1,000 draws of 1..4: 250 each, standard deviation sqrt(1000 * 1/4 * 3/4) = 14.
    values = [d["key"] for d in drawn(1000, "key=int(interval(1,4))", "other=interval(0,1)")]
    assert all(abs(values.count(n) - 250) < 4 * 14 for n in (1, 2, 3, 4))


def test_random_draws_a_log_interval_by_its_logarithm() -> None:
    # Each of three decades gets a third: 300 of 900, standard deviation sqrt(900 * 1/3 * 2/3) = 14.
    over = "tag(log,interval(1e-4,1e-1))"
    values = [values["lr"] for values in drawn(900, f"lr={over}")]
    decades = [math.floor(math.log10(value)) for value in values]
    assert all(abs(decades.count(n) - 300) < 4 * 14 for n in (-4, -3, -2))
    # Not so without: nine tenths are in the last one.
    flat = [values["lr"] for values in drawn(900, "lr=interval(1e-4,1e-1)")]
    assert sum(value > 1e-2 for value in flat) > 750


def test_random_choices_are_parsed_and_shown_as_typed() -> None:
    found = asked(RandomSearch(20, 0), varying("a='x y','z'", "b=range(8,33,8)"))
    assert len(found) == 2 * 4
    assert {setting.overrides[0] for setting in found} == {"a='x y'", "a='z'"}
    assert {setting.values["a"] for setting in found} == {"x y", "z"}
    assert {setting.values["b"] for setting in found} == {8, 16, 24, 32}


@pytest.mark.parametrize(
    ("overrides", "count"),
    [
        (["key=7,7,7"], 1),
        (["key=int(interval(3,5))"], 3),
        (["key=interval(0.5,0.5)"], 1),
        # With four digits: 0.1, 0.1001, 0.1002.
        (["key=interval(0.1,0.1002)"], 3),
        (["key=interval(0.1,0.1002)", "other=1,2"], 6),
        ([], 1),
    ],
)
def test_random_ends_where_there_are_no_more_settings(overrides: list[str], count: int) -> None:
    assert len(drawn(50, *overrides)) == count


def test_random_settings_follow_the_seed() -> None:
    over = "lr=interval(0,1)"
    assert drawn(5, over, seed=1) == drawn(5, over, seed=1)
    assert drawn(5, over, seed=1) != drawn(5, over, seed=2)
