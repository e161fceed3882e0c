"""Sweeps on a command line: which keys vary, over what, and what is checked of them before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.config import Axis, axes, combinations, with_seeds
from twotower.config.tree import choices
from twotower.config.typed_ids import with_ids
from twotower.core.errors import ConfigError


def axis(override: str) -> Axis:
    fixed, (found,) = axes([override])
    assert fixed == []
    return found


def test_seeds_are_a_sweep_over_the_seed() -> None:
    assert with_seeds(["seeds=3"]) == ["seed=0,1,2"]
    assert with_seeds(["seeds=2", "tower.emb_dim=4", "seed=5"]) == ["tower.emb_dim=4", "seed=5,6"]
    assert with_seeds(["++seeds=2"]) == ["seed=0,1"]


@pytest.mark.parametrize("overrides", [["seed=5"], ["seeds=1"], ["seeds=1", "seed=3,4"], []])
def test_one_run_stays_one_run(overrides: list[str]) -> None:
    assert with_seeds(overrides) == overrides


@pytest.mark.parametrize("text", ["0", "-2", "2.5", "many", "1,2", "null", "", "range(1,4)"])
def test_seeds_are_counted_by_a_whole_number(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        with_seeds([f"seeds={text}"])
    assert str(caught.value) == f"seeds={text}: expected one integer >= 1"


@pytest.mark.parametrize("seed", ["1,2", "range(0,3)", "interval(0,4)", "first", "null"])
def test_seeds_and_a_sweep_over_the_seed_exclude_each_other(seed: str) -> None:
    with pytest.raises(ConfigError) as caught:
        with_seeds(["seeds=2", f"seed={seed}"])
    assert str(caught.value) == f"seed={seed} with seeds=2: seed must be one integer"


def test_what_varies_is_listed_in_the_order_of_the_command() -> None:
    line = ["tower.emb_dim=16,32", "loss=bce", "+optimizer.lr=0.1,0.2", "~split", "seed=0,1"]
    fixed, varying = axes(line)
    assert fixed == ["loss=bce", "~split"]
    assert [a.key for a in varying] == ["tower.emb_dim", "optimizer.lr", "seed"]
    assert varying[0].override(varying[0].choices[1]) == "tower.emb_dim=32"  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "texts", "values"),
    [
        ("16,32", ("16", "32"), (16, 32)),
        ("choice(bce,bpr)", ("bce", "bpr"), ("bce", "bpr")),
        ("true,null,0.5", ("True", "null", "0.5"), (True, None, 0.5)),
        ("range(8,33,8)", ("8", "16", "24", "32"), (8, 16, 24, 32)),
        ("range(3,0,-1)", ("3", "2", "1"), (3, 2, 1)),
        ("[64,32],[16]", ("[64,32]", "[16]"), ([64, 32], [16])),
        ("{a:1},{a:2}", ("{a:1}", "{a:2}"), ({"a": 1}, {"a": 2})),
        ("'a b','c,d'", ("'a b'", "'c,d'"), ("a b", "c,d")),
        ("['a b'],[c]", ("['a b']", "[c]"), (["a b"], ["c"])),
        ("a\\,b,c", ("a\\,b", "c"), ("a,b", "c")),
        ("float(1,2)", ("1.0", "2.0"), (1.0, 2.0)),
    ],
)
def test_choices_are_kept_as_typed_and_parsed(
    text: str, texts: tuple[str, ...], values: tuple[object, ...]
) -> None:
    found = axis(f"key={text}")
    assert (found.choices, found.values) == (texts, values)
    assert (found.low, found.high, found.integer, found.log) == (None, None, False, False)


@pytest.mark.parametrize("text", ["1,2", "'a b',c", "[1,'x y'],[2]", "${seed},3", "a\\,b,c"])
def test_a_choice_means_the_same_in_an_override_of_its_own(text: str) -> None:
    found = axis(f"key={text}")
    for one, value in zip(found.choices or (), found.values or (), strict=True):
        assert axis(f"{found.override(one)},other").values == (value, "other")


@pytest.mark.parametrize("text", ["shuffle(range(0,40))", "shuffle(3,1,2,7,5,9,8)"])
def test_shuffled_texts_and_values_belong_together(text: str) -> None:
    found = axis(f"key={text}")
    assert [int(one) for one in found.choices or ()] == list(found.values or ())


def test_a_pattern_takes_every_choice_of_the_group() -> None:
    assert axis("split=glob(*)").choices == tuple(choices("split"))
    cold_and_random = ("cold_item", "cold_user", "random", "random_next_n")
    assert axis("split=glob([random*,cold*])").choices == cold_and_random
    assert axis("split=glob(*,exclude=[random*,k*])").choices == tuple(
        name for name in choices("split") if not name.startswith(("random", "k"))
    )


@pytest.mark.parametrize(
    ("text", "low", "high", "integer", "log"),
    [
        ("interval(8,64)", 8.0, 64.0, False, False),
        ("int(interval(8,64))", 8, 64, True, False),
        ("tag(log,interval(1e-4,1e-1))", 1e-4, 1e-1, False, True),
        ("tag(log,int(interval(1,100)))", 1, 100, True, True),
        ("int(tag(log,interval(1,100)))", 1, 100, True, True),
        ("interval(-1,1)", -1.0, 1.0, False, False),
        ("interval(0.5,0.5)", 0.5, 0.5, False, False),
    ],
)
def test_an_interval_has_ends(text: str, low: float, high: float, integer: bool, log: bool) -> None:
    assert axis(f"key={text}") == Axis("key", None, None, low, high, integer=integer, log=log)
    assert type(axis(f"key={text}").low) is (int if integer else float)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("a=interval(1,0.1)", "a=interval(1,0.1): expected interval(low, high) with low <= high"),
        (
            "a=tag(log,interval(0,1))",
            "a=tag(log,interval(0,1)): expected interval(low, high) with 0 < low <= high",
        ),
        ("a=range(3,3)", "a=range(3,3): holds no value; expected one or more"),
        ("loss=glob(z*)", "loss=glob(z*): holds no value; expected one or more"),
        ("tower.emb_dim=glob(*)", "tower.emb_dim=glob(*): holds no value; expected one or more"),
        ("a=range(1,5,0)", "a=range(1,5,0): range() arg 3 must not be zero"),
    ],
)
def test_a_sweep_over_nothing_is_an_error(override: str, message: str) -> None:
    for judge in (axes, combinations):
        with pytest.raises(ConfigError) as caught:
            judge([override])
        assert str(caught.value) == message


def test_what_is_no_override_is_an_error() -> None:
    for judge in (axes, with_seeds, combinations):
        with pytest.raises(ConfigError, match=r"tower\.emb_dim"):
            judge(["tower.emb_dim"])


def test_combinations_hold_every_value_once_and_both_ends_of_an_interval() -> None:
    line = ["a=1,2,3", "b=x", "+c=int(interval(8,64))", "d=tag(log,interval(0.01,0.1))"]
    assert combinations(line) == [
        ["a=1", "b=x", "+c=8", "d=0.01"],
        ["a=2", "b=x", "+c=8", "d=0.01"],
        ["a=3", "b=x", "+c=8", "d=0.01"],
        ["a=1", "b=x", "+c=64", "d=0.01"],
        ["a=1", "b=x", "+c=8", "d=0.1"],
    ]
    assert combinations(["b=x", "~c"]) == [["b=x", "~c"]]
    assert combinations([]) == [[]]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_there_are_as_many_combinations_as_further_values(sizes: list[int]) -> None:
    line = [f"k{n}=" + ",".join(f"v{v}" for v in range(size)) for n, size in enumerate(sizes)]
    found = combinations(line)
    assert len(found) == 1 + sum(size - 1 for size in sizes)
    message = {override for combination in found for override in combination}
    assert message == {f"k{n}=v{v}" for n, size in enumerate(sizes) for v in range(size)}


@given(
    st.floats(1e-6, 1e3, allow_subnormal=False),
    st.floats(0, 1e3),
    st.booleans(),
)
def test_the_ends_of_an_interval_are_kept_to_the_last_digit(
    low: float, width: float, log: bool
) -> None:
    high = low + width
    text = f"interval({low!r},{high!r})"
    found = axis(f"key=tag(log,{text})" if log else f"key={text}")
    assert (found.low, found.high, found.log) == (low, high, log)
    ends = [float(override.partition("=")[2]) for (override,) in combinations([f"key={text}"])]
    assert ends == [low, high]


def test_the_start_of_an_id_is_text_though_it_could_be_a_number() -> None:
    given = ["run=5677e10", "runs=[12,4e1c,7e3,a b]", "sweep=latest", "k=10", "runs=12.5"]
    assert with_ids(given) == [
        "run='5677e10'",
        "runs=['12',4e1c,'7e3',a b]",
        "sweep=latest",
        "k=10",  # another key
        "runs=12.5",  # no id
    ]
