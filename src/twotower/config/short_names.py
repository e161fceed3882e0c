"""The names that runs share for the keys of a config, such as `emb_dim` for `tower.emb_dim`."""

from __future__ import annotations

from functools import cache

from twotower.config.identity import ELSEWHERE
from twotower.config.recipes import fillings, keys

__all__ = ["LEFT_OUT", "path_of", "short_name"]

# Not varied to compare models: what is not part of a run's identity, and how a log is read.
LEFT_OUT = (
    *ELSEWHERE,
    "dataset.cache_dir",
    "dataset.columns",
    "dataset.connect_timeout_s",
    "dataset.digest",
    "dataset.md5",
    "dataset.separator",
    "dataset.test_url",
    "dataset.timestamp_format",
    "dataset.timestamp_unit",
    "dataset.title",
    "dataset.train_url",
    "dataset.url",
    "dataset.wheel",
    "folds",
    "hydra",
    "seeds",
)
_LONG = "dataset"  # kept in the names of its keys: `path` alone would be unclear


def short_name(path: str) -> str:
    """Return `emb_dim` for `tower.emb_dim`: the last part if it is unambiguous, else the path.

    Names depend on the config tree alone, so a key has the same name in every run.
    """
    at = path_of(path)
    end = at.rpartition(".")[2]
    return end if _names().get(end) == at else at


def path_of(key: str) -> str:
    """Return the path that the key of an override sets: `tower.encoder` for `tower/encoder`."""
    return key.partition("@")[2] or key.replace("/", ".")


@cache
def _names() -> dict[str, str]:
    """Return by last part the path that has it as its short name.

    This is the key nearest to the root of all keys of the config tree with that last part, if only
    one is nearest.
    """
    selected = {each.at for each in fillings() if each.at == each.group.replace("/", ".")}
    named: dict[str, list[str]] = {}
    for path in (*selected, *keys()):
        if not path.startswith(f"{_LONG}.") and not _is_left_out(path):
            named.setdefault(path.rpartition(".")[2], []).append(path)
    nearest_root = {end: _shallowest(known) for end, known in named.items()}
    return {end: found[0] for end, found in nearest_root.items() if len(found) == 1}


def _is_left_out(path: str) -> bool:
    return f"{path}.".startswith(tuple(f"{key}." for key in LEFT_OUT))


def _shallowest(paths: list[str]) -> list[str]:
    depth = min(path.count(".") for path in paths)
    return [path for path in paths if path.count(".") == depth]
