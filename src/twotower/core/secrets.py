"""Passwords and tokens are masked wherever a config, an override or a message becomes text.

Two things are masked: what looks like a secret (`user:password@` in an address, the value of a key
such as `token`), and every value that was met as one before, wherever it appears again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

__all__ = ["MASK", "mask", "mask_all", "remember"]

MASK = "***"

_SECRET_WORDS = {
    *("password", "passwd", "pwd", "passphrase", "token", "secret", "secrets", "credential"),
    *("credentials", "signature", "apikey", "accesskey", "authorization", "bearer"),
}
_SECRET_ENDS = {"sas", "sig"}  # as the last word: `blob_sas`, but not `SASRec`
_ERROR_ENDS = {"error", "exception"}  # `NoCredentialsError: Unable to locate credentials`
_SECRET_KEYS = {"api", "access", "account", "auth", "private", "secret", "storage"}  # before `key`
_SECRET_NODES = {"storage_options"}  # every text in them
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_USERINFO = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)"
    r"(?P<secret>[^\s/@\"]*(?:@[^\s/@\"]*)*|[^\s/@:\"]+:(?!\d+[/?#,;])[^\s@\"]*)@",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"(?<![\w.])(?P<name>[A-Za-z_][\w.-]*)"
    r"(?P<sign>=|[\"']?\s?:\s+|[\"']\s?:\s*)"
    r"(?P<value>\"[^\"]*\"|'[^']*'|(?:(?:Bearer|Basic)\s+)?[^\s&;\"'\])}]+)"
)
_VARIABLE = re.compile(r"\$\{\s*oc\.env\s*:\s*([A-Za-z_]\w*)")
_OVERRIDDEN = re.compile(r"([\w.]+)=")
_PLAIN = {"null", "none", "true", "false", "???", MASK}

# Values of other keys, too, may come from the environment; these variables are no secrets, and
# these keys are names of places, which have to be read.
_OPEN_VARIABLES = re.compile(r"HOME|USER|LOGNAME|PWD|HOSTNAME|TMPDIR|SLURM_.*")
_OPEN_KEYS = {"output_dir", "run_name", "experiment_name", "artifact_location"}
_SHORTEST, _SHORTEST_WORD = 6, 12  # characters of a value that is masked wherever it appears

_known: set[str] = set()


def mask(text: str) -> str:
    """Return `text` with every secret in it replaced by `***`."""
    text = _USERINFO.sub(rf"\g<scheme>{MASK}@", text)
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, MASK)
    parts, end = [], 0
    for match in _named(text):
        start, quote = match.start("value"), match["value"][0]
        shown = f"{quote}{MASK}{quote}" if quote in "\"'" else MASK
        parts += [text[end:start], shown]
        end = match.end("value")
    return "".join([*parts, text[end:]])


def mask_all(value: Any, hidden: bool = False) -> Any:
    """Mask every string in plain nested containers, and every value of a secret key.

    Args:
        value: plain nested containers.
        hidden: whether `value` belongs to a secret key.
    """
    if isinstance(value, Mapping):
        return {
            key: mask_all(inner, hidden or _is_secret(str(key))) for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [mask_all(inner, hidden) for inner in value]
    if hidden and isinstance(value, int | str) and not isinstance(value, bool) and value != "":
        return MASK
    return mask(value) if isinstance(value, str) else value


def remember(value: Any, key: str = "", hidden: bool = False) -> None:
    """Remember the secrets in plain nested containers, so that `mask` finds them everywhere.

    Args:
        value: a config, resolved or not, or overrides. A value from the environment
            (`${oc.env:NAME}`) is a secret unless the variable or the key is known not to be.
        key: the key of `value`.
        hidden: whether `value` belongs to a secret key.
    """
    if isinstance(value, Mapping):
        for name, inner in value.items():
            remember(inner, str(name), hidden or _is_secret(str(name)))
    elif isinstance(value, list | tuple):
        for inner in value:
            remember(inner, key, hidden)
    elif isinstance(value, str):
        for found in [*([value] if hidden else []), *_secrets_in(value)]:
            _note(found, sure=True)
        for match in _VARIABLE.finditer(value):
            name, before = match[1], _OVERRIDDEN.findall(value[: match.start()])
            last = (before[-1] if before else key).rpartition(".")[2]
            is_open = _OPEN_VARIABLES.fullmatch(name) or last in _OPEN_KEYS
            held, sure = os.environ.get(name, ""), _is_secret(name)
            if sure or not (is_open or _is_place(held)):
                _note(held, sure=sure)


def _is_secret(name: str) -> bool:
    """Return whether a key or variable of that name holds a secret (`AWS_SECRET_ACCESS_KEY`)."""
    if _SECRET_NODES & set(name.split(".")):
        return True
    words = [word.lower() for word in _WORDS.findall(name)]
    if words and words[-1] in _ERROR_ENDS:
        return False
    pairs = pairwise(words)
    if words and words[-1] in _SECRET_ENDS:
        return True
    return not _SECRET_WORDS.isdisjoint(words) or any(
        second == "key" and first in _SECRET_KEYS for first, second in pairs
    )


def _named(text: str) -> Iterator[re.Match[str]]:
    """Yield each value in `text` that follows the name of a secret."""
    place = 0
    while match := _NAMED.search(text, place):
        found = _is_secret(match["name"]) and match["value"].strip("\"',").lower() not in _PLAIN
        if found:
            yield match
        # Other values may hold some: a='http://host?token=...'.
        place = match.end("value" if found else "sign")


def _secrets_in(text: str) -> Iterator[str]:
    """Yield the passwords of addresses and the values of secret keys."""
    for match in _USERINFO.finditer(text):
        user, _, password = match["secret"].partition(":")
        yield from {password or user, unquote(password or user)}
    for match in _named(text):
        yield from re.split(r"[,\[\]{}]", match["value"].strip("\"'"))


def _note(secret: str, *, sure: bool) -> None:
    """Remember `secret`, unless it is so short or common that masking it would hide other text.

    Args:
        secret: a value.
        sure: whether it is known to be a secret.
    """
    secret = secret.strip().strip("\"'")
    is_word = not sure and re.fullmatch(r"[a-z_]+|[A-Z_]+", secret) is not None
    if len(secret) < (_SHORTEST_WORD if is_word else _SHORTEST) or "${" in secret:
        return
    if secret.lower() not in _PLAIN | _SECRET_WORDS and not _is_number(secret):
        _known.add(secret)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return len(text) < _SHORTEST_WORD


def _is_place(text: str) -> bool:
    """Return whether `text` is a path or an address, which must stay readable."""
    return text.startswith(("/", "~", "./")) or "://" in text
