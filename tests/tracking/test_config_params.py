"""Flat params and the masking of credentials."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twotower.tracking.masking import mask, mask_all
from twotower.tracking.params import flat_params

KEYS = st.text("abz_-09", min_size=1, max_size=5)
CONFIGS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(KEYS, inner, min_size=1, max_size=4),
    max_leaves=15,
)


@settings(deadline=None)  # the first example may meet a busy machine
@given(st.dictionaries(KEYS, CONFIGS, max_size=5))
def test_every_leaf_is_one_param_under_its_path(config: dict[str, Any]) -> None:
    def leaves(value: Any, path: tuple[str, ...]) -> set[str]:
        if not isinstance(value, dict):
            return {".".join(path)}
        return {name for key, inner in value.items() for name in leaves(inner, (*path, key))}

    assert set(flat_params(config, "config.yaml")) == leaves(config, ())


def test_values_are_spelled_as_in_yaml() -> None:
    config = {
        "text": "once",
        "off": False,
        "none": None,
        "small": 1e-05,
        "list": [1, "a", {"x": None}],
        "empty": {},
        "nested": {"deep": {"value": 1}},
    }
    assert flat_params(config, "config.yaml") == {
        "text": "once",
        "off": "false",
        "none": "null",
        "small": "1e-05",
        "list": '[1, "a", {"x": null}]',
        "empty": "{}",
        "nested.deep.value": "1",
    }


@pytest.mark.parametrize("key", ["user@id", "a.b", "имя", ""])
def test_a_mapping_whose_keys_are_no_names_is_one_param(key: str) -> None:
    columns = {"columns": {key: "user_id", "item": "item_id"}}
    assert flat_params(columns, "config.yaml") == {
        "columns": f'{{"{key}": "user_id", "item": "item_id"}}'
    }


def test_keys_that_grow_too_long_are_not_split() -> None:
    assert flat_params({"a": {"b" * 249: 1}}, "config.yaml") == {"a": f'{{"{"b" * 249}": 1}}'}
    assert flat_params({"a": {"b" * 248: 1}}, "config.yaml") == {f"a.{'b' * 248}": "1"}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://me:pw@host:5000/x", "http://***@host:5000/x"),
        ("postgresql+psycopg2://me:p@w@host/db", "postgresql+psycopg2://***@host/db"),
        ("https://token@host", "https://***@host"),
        ("see (http://a:b@c) and http://d:e@f", "see (http://***@c) and http://***@f"),
        ("https://host/a?x=1&token=abc&y=2", "https://host/a?x=1&token=***&y=2"),
        ("https://host/a?password=abc", "https://host/a?password=***"),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
        ("https://host/users/@me", "https://host/users/@me"),
        ("write to me@example.org", "write to me@example.org"),
    ],
)
def test_masking(text: str, masked: str) -> None:
    assert mask(text) == masked
    assert mask_all({"a": [text, {"b": text}], "n": 1}) == {"a": [masked, {"b": masked}], "n": 1}
