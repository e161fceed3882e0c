"""Passwords and tokens are found by their place, and then wherever they appear."""

from __future__ import annotations

import logging
import sys
from io import StringIO
from typing import Any

import pytest

from twotower.core import secrets
from twotower.core.console import Formatter, safe_output
from twotower.core.errors import ConfigError
from twotower.core.secrets import mask, mask_all, remember


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered here is forgotten afterwards."""
    monkeypatch.setattr(secrets, "_known", set())


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        # in addresses
        ("http://user:pass-7@host:5000/x", "http://***@host:5000/x"),
        ("http://token@host", "http://***@host"),
        ("see http://u:p@ss:w@host, then", "see http://***@host, then"),
        ("http://u:pa/ss@host/x", "http://***@host/x"),
        ("postgresql+psycopg2://u:p@host/db", "postgresql+psycopg2://***@host/db"),
        ("s3://key:secret@bucket/path", "s3://***@bucket/path"),
        ("http://host:5000/#/runs?x=a@b", "http://host:5000/#/runs?x=a@b"),
        ("http://host/a@b", "http://host/a@b"),
        ("http://h/x?a=1&token=abc&b=2", "http://h/x?a=1&token=***&b=2"),
        ("az://c/f?sv=1&sig=a%2Fb", "az://c/f?sv=1&sig=***"),
        ("X-Amz-Signature=abc&X-Amz-Credential=d/e", "X-Amz-Signature=***&X-Amz-Credential=***"),
        # by the name of a key
        ("dataset.storage.token=abc", "dataset.storage.token=***"),
        ("++a.api_key='a b'", "++a.api_key='***'"),
        ("export MLFLOW_TRACKING_PASSWORD=abc", "export MLFLOW_TRACKING_PASSWORD=***"),
        ("AWS_SECRET_ACCESS_KEY: abc", "AWS_SECRET_ACCESS_KEY: ***"),
        ('{"token": "abc", "k": 10}', '{"token": "***", "k": 10}'),
        ("{'accessKey': 'abc'}", "{'accessKey': '***'}"),
        ("Authorization: Bearer abc", "Authorization: ***"),
        ("a.token=abc,def", "a.token=***"),
        ("['a.sas=abc', 'b=1']", "['a.sas=***', 'b=1']"),
        ("path='a?token=abc/x' token='a'", "path='a?token=***' token='***'"),
        # what is none
        ("trainer.max_epochs=3", "trainer.max_epochs=3"),
        ("tokenizer=abc max_tokens=5", "tokenizer=abc max_tokens=5"),
        ("token=null", "token=null"),
        ("key: user_id", "key: user_id"),
        ("evaluation.monitor: ndcg", "evaluation.monitor: ndcg"),
    ],
)
def test_secrets_are_masked_by_their_place(text: str, masked: str) -> None:
    assert mask(text) == masked
    assert mask(masked) == masked


def test_values_of_secret_keys_are_masked_whatever_they_are() -> None:
    config = {
        "password": "x",
        "a": [{"token": 123, "k": 5}],
        "credentials": {"user": "me", "nested": ["x", None, True]},
        "storage_options": {"key": "id", "anon": False},
        "uri": "http://u:p@h",
    }
    assert mask_all(config) == {
        "password": "***",
        "a": [{"token": "***", "k": 5}],
        "credentials": {"user": "***", "nested": ["***", None, True]},
        "storage_options": {"key": "***", "anon": False},
        "uri": "http://***@h",
    }


@pytest.mark.parametrize(
    "met",
    [
        {"a": {"token": "Hunter2-x"}},
        {"a": "http://me:Hunter2-x@host"},
        {"a": "http://me:Hunter2%2Dx@host"},
        ["b.api_key=Hunter2-x"],
        ["+b.token=other,Hunter2-x"],
        {"c": ["export MY_PASSWORD=Hunter2-x"]},
        ["run_name=${oc.env:MY_TOKEN}"],
        {"any": {"key": "x${oc.env:PLAIN,none}y"}},
    ],
)
def test_a_resolved_secret_is_masked_everywhere(met: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "Hunter2-x")
    monkeypatch.setenv("PLAIN", "Hunter2-x")
    assert mask("login Hunter2-x failed") == "login Hunter2-x failed"
    remember(met)
    assert mask("login Hunter2-x failed") == "login *** failed"
    assert str(ConfigError("got 'Hunter2-x'")) == "got '***'"


@pytest.mark.parametrize(
    ("variable", "value", "key"),
    [
        ("HOME", "someone-1", "path"),
        ("DATA", "/data/log-1.csv", "path"),
        ("COUNT", "1234567", "k"),
        ("NAME", "exp-2024", "experiment_name"),
        ("WORD", "training", "any"),
    ],
)
def test_other_environment_variables_stay_readable(
    variable: str, value: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    remember({key: f"${{oc.env:{variable}}}"})
    remember([f"a.{key}=${{oc.env:{variable}}}", f"b=1,c.{key}=${{oc.env:{variable}}},d=2"])
    assert mask(f"x {value}") == f"x {value}"


def test_a_short_or_common_word_hides_nothing_else() -> None:
    remember({"token": "val", "uri": "http://u:password@h"})
    assert mask("val/ndcg_at_10 password") == "val/ndcg_at_10 password"


def test_log_records_and_what_is_printed_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    remember({"token": "Hunter2-x"})
    try:
        raise ValueError("Hunter2-x")
    except ValueError:
        record = logging.LogRecord("a", 20, "f", 1, "see %s", ("Hunter2-x",), sys.exc_info())
    assert "Hunter2-x" not in Formatter("%(message)s").format(record)
    out = StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    with safe_output():
        print("Hunter2-x", 1)
        assert sys.stdout.isatty() is False
    assert sys.stdout is out
    assert out.getvalue() == "*** 1\n"
