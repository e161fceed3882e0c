"""`baselines` in every form that people type: a list, nothing, a mapping, a wrong name."""

from __future__ import annotations

import pytest

from twotower.config import build, compose
from twotower.core.errors import ConfigError

POPULARITY = {"_target_": "twotower.baselines.popularity.Popularity"}


@pytest.mark.parametrize(
    "override",
    ["baselines=[]", "~baselines", "baselines=null", "baselines={}", "~baselines=[popularity]"],
)
def test_none_are_selected(override: str) -> None:
    assert compose("train", [override])["baselines"] == {}
    assert build(compose("train", [override, "experiment=gowalla"])).baselines == {}


def test_a_mapping_selects_choices_and_changes_their_values() -> None:
    made = compose("train", ["baselines={ease: {l2: 3}, popularity: {}}"])["baselines"]
    assert list(made) == ["ease", "popularity"]
    assert (made["ease"]["l2"], made["ease"]["precision"]) == (3, "float64")
    own = compose("train", [f"baselines={{mine: {{_target_: {POPULARITY['_target_']}}}}}"])
    assert own["baselines"] == {"mine": POPULARITY}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("baselines=[eese]", "baselines=eese: no such choice; did you mean 'ease'? Valid: als,"),
        ("baselines={eese: {}}", "baselines=eese: no such choice; did you mean 'ease'?"),
        ("baselines.eese.l2=3", "baselines.eese: got {'l2': 3}; did you mean 'ease'? Valid: als"),
        (
            "baselines.ease.l2=3",
            "baselines.ease: got {'l2': 3}; the choice ease is not selected; baselines=[ease] "
            "selects it",
        ),
        ("baselines.popularity=3", "baselines.popularity: got 3; "),
        ("baselines=[", "no viable alternative"),
    ],
)
def test_a_wrong_baseline_is_an_error(override: str, message: str) -> None:
    for others in ([], ["baselines=[]"] if "." in override else []):
        with pytest.raises(ConfigError) as caught:
            compose("train", [*others, override])
        assert message in str(caught.value)


def test_a_command_without_baselines_refuses_none() -> None:
    with pytest.raises(ConfigError, match="baselines: got none"):
        compose("baselines", ["~baselines"])
