"""Components validate their arguments in Python as they do from YAML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pydantic import PositiveInt

from twotower.baselines import ItemKNN
from twotower.core.component import component, rule
from twotower.core.errors import ConfigError, ErrorEntry
from twotower.negative_sampling import UniformSampler


def test_all_errors_of_the_arguments_are_raised_together() -> None:
    with pytest.raises(ConfigError, match=r"^neighbours: got -3; input should be greater than 0$"):
        ItemKNN(neighbours=-3, shrink=0.0)
    with pytest.raises(ConfigError) as caught:
        UniformSampler(0, "yes", train=None, device=None)  # type: ignore[arg-type]
    assert [(entry.path, entry.got) for entry in caught.value.entries] == [
        ("num_negatives", 0),
        ("exclude_seen", "yes"),
    ]


@component
@dataclass(frozen=True)
class Window:
    first: PositiveInt
    last: PositiveInt
    name: str = "window"

    @staticmethod
    @rule
    def _in_order(first: int, last: int) -> Iterator[ErrorEntry]:
        if first > last:
            yield ErrorEntry("last", last, f"which is before first={first}", f"must be >= {first}")


def test_a_rule_is_checked_once_its_arguments_are_valid() -> None:
    assert Window(1, 2) == Window(1, last=2)
    with pytest.raises(ConfigError, match=r"^last: got 2, which is before first=3; must be >= 3$"):
        Window(3, 2)
    with pytest.raises(ConfigError, match=r"^first: got 0; input should be greater than 0$"):
        Window(0, 1)
    with pytest.raises(ConfigError) as caught:
        Window(3, 2, name=5)  # type: ignore[arg-type]
    assert [entry.path for entry in caught.value.entries] == ["name", "last"]


def test_missing_and_unknown_arguments_raise_type_errors() -> None:
    with pytest.raises(TypeError, match=r"Window.*missing 1 required positional argument: 'last'"):
        Window(1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'size'"):
        Window(1, 2, size=3)  # type: ignore[call-arg]


def test_paths_are_put_below_that_of_the_component() -> None:
    error = ConfigError([ErrorEntry("k", 0, valid="must be >= 1"), ErrorEntry("", problem="no")])
    assert str(error.under("a.b")) == "a.b.k: got 0; must be >= 1\n  a.b: no"
    assert str(ConfigError("as it is").under("a")) == "as it is"
