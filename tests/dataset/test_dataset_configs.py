"""Every choice of the group `dataset` fits the class that it names."""

from __future__ import annotations

import importlib
import inspect
import typing
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from pydantic import TypeAdapter, ValidationError

CHOICES = sorted((Path(__file__).parents[2] / "conf" / "dataset").glob("*.yaml"))


def target_and_values(choice: Path) -> tuple[type, dict[str, Any]]:
    values: Any = OmegaConf.to_container(OmegaConf.load(choice))
    module, _, name = values.pop("_target_").rpartition(".")
    return getattr(importlib.import_module(module), name), values


def hints_of(target: type) -> dict[str, Any]:
    return typing.get_type_hints(target, include_extras=True)


def test_all_choices_are_found() -> None:
    assert {choice.stem for choice in CHOICES} == {
        *("movielens_100k", "movielens_1m", "movielens_20m", "movielens_25m"),
        *("movielens_32m", "movielens_latest_small", "file", "frame", "recbole", "synthetic"),
        *("amazon_reviews_2018", "amazon_reviews_2023", "book_crossing", "gowalla"),
        *("gowalla_lightgcn", "h_and_m", "mind", "netflix", "steam"),
    }


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.stem)
def test_a_choice_gives_every_parameter_a_valid_value(choice: Path) -> None:
    target, values = target_and_values(choice)
    parameters = inspect.signature(target).parameters
    assert list(values) == list(parameters)
    assert all(p.default is inspect.Parameter.empty for p in parameters.values())
    hints = hints_of(target)
    for name, value in values.items():
        TypeAdapter(hints[name]).validate_python(value)
    assert callable(target(**values).load)


@pytest.mark.parametrize(
    ("choice", "key", "wrong"),
    [
        ("synthetic", "n_users", 0),
        ("synthetic", "temperature", 0.0),
        ("file", "timestamp_unit", "minutes"),
        ("file", "separator", 1),
        ("file", "columns", {"user": "u", "item": "i", "timestamp": None}),
        ("recbole", "columns", {"user": "u", "item": "i", "timestamp": None, "ratin": "r"}),
        ("movielens_100k", "connect_timeout_s", 0),
    ],
)
def test_the_hints_refuse_what_is_not_valid(choice: str, key: str, wrong: object) -> None:
    target, _ = target_and_values(CHOICES[0].with_name(f"{choice}.yaml"))
    hint = hints_of(target)[key]
    with pytest.raises(ValidationError):
        TypeAdapter(hint).validate_python(wrong)


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.stem)
def test_every_key_has_a_comment_above_it(choice: Path) -> None:
    above = ""
    for line in choice.read_text().splitlines():
        if line and not line.startswith(("#", " ", "_target_")):
            assert above.startswith("#") or ":" in above, f"{choice.name}: {line}"
        above = line
