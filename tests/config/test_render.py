"""Overrides and commands that are built are read as they were meant."""

from __future__ import annotations

import math
import shlex
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from twotower.config import compose
from twotower.config.render import command, literal, render
from twotower.core.errors import ConfigError

# A lone surrogate is no text: neither a shell nor a file can hold it.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_ =,:()-]{0,8}[a-z]", fullmatch=True)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
RESERVED = {"true", "false", "null", "nan", "inf"}


def read(line: str) -> Any:
    (parsed,) = OverridesParser.create().parse_overrides([line])
    assert not parsed.is_sweep_override()
    return parsed.key_or_group, parsed.value()


def keys_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for inner in value.values() for key in keys_of(inner))]
    return [key for inner in value for key in keys_of(inner)] if isinstance(value, list) else []


@settings(deadline=None)
@given(
    st.sampled_from(["a", "tower.emb_dim", "hydra.sweep.dir", "preprocessing.filters.0"]), VALUES
)
@example("output_dir", "runs/lr=0.1")
@example("output_dir", "a\\'b\\")
@example("output_dir", "~/#1 [x] {y} $HOME 100%, 'it''s' \"é\" \\")
@example("users", ["2_1", "1e3", "007", "null", "True", "", " ", 1, 1.0, 1e-05, 1e16])
@example("a", math.inf)
@example("a", -0.0)
def test_an_override_is_read_as_the_value_it_was_made_from(key: str, value: Any) -> None:
    if RESERVED & {name.lower() for name in keys_of(value)}:
        return  # such a key of a mapping is a constant, see below
    name, found = read(render(key, value))
    assert name == key
    assert repr(found) == repr(value)  # with types, nan, and the sign of zero


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("bce", "bce"),
        ("out/runs-1.csv", "out/runs-1.csv"),
        ("sqlite:///a study.db", "sqlite:///a study.db"),
        ("https://***@host:8080", "https://***@host:8080"),
        (1e-05, "1e-05"),
        (None, "null"),
        (False, "false"),
        ([64, 32], "[64,32]"),
        ({"user": "u id"}, "{user:u id}"),
        ("12", "'12'"),
        ("null", "'null'"),
        ("", "''"),
        ("a,b", "'a,b'"),
        ("it's", r"'it\'s'"),
    ],
)
def test_what_needs_no_quotes_has_none(value: Any, text: str) -> None:
    assert render("key", value) == f"key={text}"


@pytest.mark.parametrize("prefix", ["", "+", "++"])
def test_prefixes_and_packages_stay(prefix: str) -> None:
    assert render(f"{prefix}tower/encoder", "gru") == f"{prefix}tower/encoder=gru"


@pytest.mark.parametrize(
    ("key", "value"), [("a b", 1), ("a=b", 1), ("a", {"é": 1}), ("a", {"1": 1})]
)
def test_what_the_grammar_cannot_express_is_an_error(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match="no override can express"):
        render(key, value)


@settings(deadline=None)
@given(TEXT | st.text("\\${}'\"a:, ", max_size=12))
@example("${seed}")
@example("\\${seed} \\\\${a")
def test_a_resolved_value_is_resolved_to_itself(text: str) -> None:
    _, value = read(render("a", literal(text)))
    assert OmegaConf.to_container(OmegaConf.create({"a": value}), resolve=True) == {"a": text}


def test_a_composed_config_holds_what_was_rendered() -> None:
    name = "a=b, [c] #1 $x ${seed} \\ 'q' \"é\""
    assert compose("train", [render("run_name", literal(name))])["run_name"] == name


@given(st.lists(TEXT.filter(lambda text: "\0" not in text)))
def test_a_shell_reads_the_words_of_a_command(words: list[str]) -> None:
    assert shlex.split(command("train", *words)) == ["twotower", "train", *words]
